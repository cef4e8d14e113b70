//go:build linux

package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

// Most nodes of a lab; their number is part of addresses.
const mostNodes = 9

// Lab is a cluster that lives in a folder, up or down. Two processes must not
// change one lab at the same time: whoever does holds the lock.
type Lab struct {
	dir string
	// programs is the folder of what tools/kubernetes builds.
	programs string
	// progress is told what is waited for.
	progress func(string)
}

// Open returns the lab of the folder. Programs is the folder with kubernetes,
// coredns and pause. Progress, if not nil, is told about steps that take
// seconds.
func Open(dir, programs string, progress func(string)) (*Lab, error) {
	var err error
	l := &Lab{progress: progress}
	if l.dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("resolve the lab's folder: %w", err)
	}
	if l.programs, err = filepath.Abs(programs); err != nil {
		return nil, fmt.Errorf("resolve the programs' folder: %w", err)
	}
	if l.progress == nil {
		l.progress = func(string) {}
	}
	return l, nil
}

// Dir is the lab's folder, absolute.
func (l *Lab) Dir() string { return l.dir }

func (l *Lab) path(name ...string) string { return filepath.Join(append([]string{l.dir}, name...)...) }

func (l *Lab) program(name string) string { return filepath.Join(l.programs, name) }

// group is the name of the lab's control groups: the folder's, shortened.
func (l *Lab) group() string {
	sum := sha256.Sum256([]byte(l.dir))
	return "curfew-lab-" + hex.EncodeToString(sum[:6])
}

// node is one machine of a lab; the first has number 1.
type node struct {
	lab    *Lab
	number int
}

func (l *Lab) node(number int) node { return node{lab: l, number: number} }

// name is that of the Node object.
func (n node) name() string { return "node-" + strconv.Itoa(n.number) }

func (n node) path(name ...string) string {
	return n.lab.path(append([]string{n.name()}, name...)...)
}

// address is where the node answers.
func (n node) address() string {
	return netip.AddrFrom4([4]byte{10, 200, 0, byte(n.number)}).String()
}

// pods is the network of the node's pods.
func (n node) pods() string { return fmt.Sprintf("10.244.%d.0/24", n.number) }

// group is the path of the node's control group in each hierarchy.
func (n node) group() string { return filepath.Join("/", n.lab.group(), n.name()) }

// Address is the one at which the first node answers to pods.
func (l *Lab) Address() string { return l.node(1).address() }

func (l *Lab) pki(name string) string { return l.path("pki", name) }

// Kubeconfig is the file for an administrator's kubectl, useful inside only.
func (l *Lab) Kubeconfig() string { return l.pki("admin.kubeconfig") }

func makeDir(path string) error {
	// Folders are walked through by PostgreSQL's account; files have modes of their own.
	if err := os.MkdirAll(path, 0o711); err != nil { //nolint:gosec // See above.
		return fmt.Errorf("make a folder of the lab: %w", err)
	}
	return nil
}
