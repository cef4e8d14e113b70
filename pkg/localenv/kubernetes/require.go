//go:build linux

package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrMissing reports what a lab needs and the machine does not have; its text
// says what, and how to get it.
var ErrMissing = errors.New("cannot run a Kubernetes node here")

// plugins is where Debian keeps those for container networks.
const plugins = "/usr/lib/cni"

var needed = []string{"containerd", "ctr", "runc", "ip", "iptables", "iptables-restore", "conntrack", "nsenter"}

// check returns an error that matches ErrMissing unless a node can run here.
func (l *Lab) check() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it needs root, for namespaces and control groups", ErrMissing)
	}
	var missing []string
	for _, program := range needed {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	for _, plugin := range []string{"ptp", "host-local", "loopback"} {
		if _, err := os.Stat(filepath.Join(plugins, plugin)); err != nil {
			missing = append(missing, filepath.Join(plugins, plugin))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: missing: %s; on a Debian-like system: apt-get install --no-install-recommends "+
			"containerd runc containernetworking-plugins iptables conntrack iproute2 util-linux", ErrMissing, strings.Join(missing, " "))
	}
	for _, program := range []string{"kubernetes", "coredns", "pause"} {
		if _, err := os.Stat(l.program(program)); err != nil {
			return fmt.Errorf("%w: %s is not built: make bin/kubernetes/.built", ErrMissing, l.program(program))
		}
	}
	return nil
}
