//go:build linux

package kubernetes

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// connect gives the node's namespace its network. The first node has a bridge
// with its address; every other has a cable to it, the end of which is eth0.
func (n node) connect(ctx context.Context) error {
	pid, err := n.pid()
	if err != nil {
		return err
	}
	steps := []string{"link set lo up"}
	if n.number == 1 {
		steps = append(steps,
			"link add lab0 type bridge",
			"address add "+n.address()+"/24 dev lab0",
			// A bridge without a cable is down, and routes over it are dead.
			"link add spare type veth peer name spare-end",
			"link set spare master lab0", "link set spare up", "link set spare-end up", "link set lab0 up",
			"route add default dev lab0")
		return n.ip(ctx, steps)
	}
	cable := fmt.Sprintf("to-%d", n.number)
	first := n.lab.node(1)
	// The cable to a node that was lost a moment ago goes a little later than it.
	err = await(ctx, "the cable to "+n.name(), func(ctx context.Context) error {
		return first.ip(ctx, []string{"link add " + cable + " type veth peer name eth0 netns " + strconv.Itoa(pid)})
	})
	if err != nil {
		return err
	}
	if err := first.ip(ctx, []string{
		"link set " + cable + " master lab0", "link set " + cable + " up",
		"route replace " + n.pods() + " via " + n.address(),
	}); err != nil {
		return err
	}
	return n.ip(ctx, append(steps, "address add "+n.address()+"/24 dev eth0", "link set eth0 up",
		"route add default via "+first.address()))
}

// ip runs ip(8) in the node's network namespace. It stays among the machine's
// processes, where the other node's first process has a number.
func (n node) ip(ctx context.Context, steps []string) error {
	pid, err := n.pid()
	if err != nil {
		return err
	}
	for _, step := range steps {
		args := append([]string{"-t", strconv.Itoa(pid), "-n", "--", "ip"}, strings.Fields(step)...)
		if out, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: ip %s: %w: %s", n.name(), step, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
