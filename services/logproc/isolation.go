package logproc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/services/logproc/internal/control"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/parent"
	"github.com/curfew-platform/curfew/services/logproc/internal/rpc"
)

// goPanic is the exit status of a Go program that panics, or whose memory ends.
const goPanic = 2

// sigquitTrace begins the trace that the runtime prints for a SIGQUIT.
const sigquitTrace = "SIGQUIT: quit"

// isolations runs a process for each suspected partition.
type isolations struct {
	pipeline *pipeline
	env      []string

	mu      sync.Mutex
	running map[ledger.Key]*supervisor.Supervisor
	count   int // names them apart
}

// Start implements parent.Isolator.
func (i *isolations) Start(key ledger.Key) error {
	i.mu.Lock()
	i.count++
	name := fmt.Sprintf("isolation-%d", i.count)
	i.mu.Unlock()
	p := i.pipeline
	s, err := supervisor.Add(p.rt.Group, supervisor.Spec{
		Name: name, Args: append(append([]string{}, p.rt.Reexec...), workerName, "--isolation"), Env: i.env,
		LimitData: p.cfg.IsolationMemory, Log: p.rt.LocalLog,
		// A record that is killed from outside every time is tried for ever;
		// its partition waits, which shows as its tries.
		Restart: supervisor.RestartPolicy{Min: 50 * time.Millisecond, Max: 2 * time.Second, Intensity: -1},
		OnReady: func(ctx context.Context, c supervisor.Child) error {
			p.parent.IsolationReady(ctx, key, c.Generation(), control.NewClient(c.Conn()))
			return nil
		},
		OnExit: func(e supervisor.Exit) {
			p.count(e)
			p.parent.IsolationExit(context.Background(), key, e.Generation, parent.Death{Own: own(e), Words: e.Stderr})
		},
	})
	if err != nil {
		return fmt.Errorf("isolate %s: %w", key, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.running[key] = s
	return nil
}

// own says whether a process ended itself. A signal that somebody else sent is
// never evidence against a record; nor is what the supervisor did.
func own(e supervisor.Exit) bool {
	if e.Step != supervisor.StepNone || e.Reason != supervisor.ReasonExited {
		return false
	}
	switch e.Signal {
	case 0:
		// A SIGQUIT from outside prints a trace and exits like a panic.
		return e.Code == goPanic && !strings.Contains(e.Stderr, sigquitTrace)
	case syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS:
		return true
	}
	return false
}

// Stop implements parent.Isolator.
func (i *isolations) Stop(key ledger.Key) {
	i.mu.Lock()
	s := i.running[key]
	delete(i.running, key)
	i.mu.Unlock()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(s.Stop(ctx, 0), s.Close(ctx)); err != nil {
		i.pipeline.rt.LocalLog.Warn("isolation process does not stop", "partition", key.String(), "error", err)
	}
}

// processes lists them.
func (i *isolations) processes() []rpc.Process {
	i.mu.Lock()
	defer i.mu.Unlock()
	var list []rpc.Process
	for key, s := range i.running {
		for _, c := range s.Children() {
			p := process(c)
			p.Isolated = &key
			list = append(list, p)
		}
	}
	return list
}
