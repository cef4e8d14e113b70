//go:build linux

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience bounds each wait of a start.
const patience = 2 * time.Minute

// Up starts the lab with the number of nodes unless it runs, and adds the nodes
// that are missing if it does. What an earlier lab of the folder left behind is
// removed first. When it fails, the lab is down.
func (l *Lab) Up(ctx context.Context, nodes int) (err error) {
	if nodes < 1 || nodes > mostNodes {
		return fmt.Errorf("a lab has 1 to %d nodes, not %d", mostNodes, nodes)
	}
	if err := l.check(); err != nil {
		return err
	}
	if err := makeDir(l.dir); err != nil {
		return err
	}
	unlock, err := l.lock(true)
	if err != nil {
		return err
	}
	defer unlock()
	if l.node(1).marked("up") != nil || !l.running(1) {
		if err := l.clean(ctx); err != nil {
			return err
		}
		if err := l.certify(); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.logs())
		}
	}()
	for number := 1; number <= nodes; number++ {
		if l.running(number) {
			continue
		}
		if err := l.node(number).up(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) running(number int) bool {
	_, err := l.node(number).pid()
	return err == nil
}

// Nodes are the numbers of the nodes that run.
func (l *Lab) Nodes() []int {
	var list []int
	for number := 1; number <= mostNodes; number++ {
		if l.running(number) {
			list = append(list, number)
		}
	}
	return list
}

// up starts the node and waits until it is Ready. A node that was lost comes
// back as after a loss of power: with its images, without its processes.
func (n node) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	marks, err := filepath.Glob(n.path("is-*"))
	if err != nil {
		return err
	}
	for _, mark := range marks {
		if err := os.Remove(mark); err != nil {
			return fmt.Errorf("forget how far the node was: %w", err)
		}
	}
	if err := machine.remove(ctx, n.group()); err != nil {
		return err
	}
	if err := errors.Join(machine.add(n.group()), n.configure()); err != nil {
		return err
	}
	n.lab.progress("starting " + n.name())
	start := time.Now()
	if err := n.spawn(); err != nil {
		return err
	}
	if err := n.connect(ctx); err != nil {
		return err
	}
	if err := n.mark("network"); err != nil {
		return err
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	for _, step := range []struct {
		what string
		done func(context.Context) error
	}{
		{"the programs of " + n.name(), func(context.Context) error { return n.marked("started") }},
		{"the sandbox image on " + n.name(), n.loadPause},
		{n.name() + " to be Ready", func(ctx context.Context) error { return n.isReady(ctx, start) }},
		{"the account of the first pods", n.hasAccount},
	} {
		err := await(ctx, step.what, func(ctx context.Context) error {
			err := step.done(ctx)
			if _, gone := n.pid(); gone != nil {
				giveUp(gone) // Nothing will change any more.
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return n.mark("up")
}

// isReady returns nil when the node has said since the time that it is Ready. A
// node that was lost for a moment is Ready to others all the time.
func (n node) isReady(ctx context.Context, since time.Time) error {
	out, err := n.lab.node(1).output(ctx, n.lab.Kubectl("get", "node", n.name(),
		"-o", `jsonpath={range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}`)...)
	if err != nil {
		return err
	}
	ready, said, _ := strings.Cut(out, " ")
	at, err := time.Parse(time.RFC3339, said)
	if err != nil || ready != "True" || at.Before(since.Truncate(time.Second)) {
		return fmt.Errorf("%s is not Ready: %q", n.name(), out)
	}
	return nil
}

func (n node) hasAccount(ctx context.Context) error {
	_, err := n.lab.node(1).output(ctx, n.lab.Kubectl("get", "serviceaccount", "default")...)
	return err
}

// lock makes drivers of one lab take turns; nodes try it to see whether theirs
// lives.
func (l *Lab) lock(wait bool) (unlock func(), err error) {
	how := syscall.LOCK_EX | syscall.LOCK_NB
	if wait {
		how = syscall.LOCK_EX
	}
	file, err := os.OpenFile(l.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the lab: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		return nil, fmt.Errorf("lock the lab: %w", errors.Join(err, file.Close()))
	}
	return func() { _ = file.Close() }, nil
}

// logs are the last lines of the nodes' own logs, as an error; nil if there are
// none.
func (l *Lab) logs() error {
	files, err := filepath.Glob(l.path("node-*", "log", "node.log"))
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		const most = 1000
		if text := strings.TrimSpace(string(raw[max(0, len(raw)-most):])); text != "" {
			errs = append(errs, fmt.Errorf("%s: %s", file, text))
		}
	}
	return errors.Join(append(errs, fmt.Errorf("the logs are in %s", l.path("node-*", "log")))...)
}
