package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// End is one end of a container of a service.
type End struct {
	Pod, UID, Service, Container string
	Init                         bool
	Terminated
}

// Report is the stop report in the termination message.
func (e End) Report() (lifecycle.Report, error) {
	var r lifecycle.Report
	for line := range strings.Lines(e.Message) {
		if strings.Contains(line, `"msg":"stop report"`) {
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				return r, fmt.Errorf("the termination message of %s makes no sense: %w", e.Pod, err)
			}
			return r, nil
		}
	}
	return r, fmt.Errorf("the termination message of %s is no stop report: %q", e.Pod, e.Message)
}

// String is for failures.
func (e End) String() string {
	return fmt.Sprintf("%s/%s: %s, exit code %d, after %v: %.1500s", e.Pod, e.Container, e.Reason, e.ExitCode, e.FinishedAt.Sub(e.StartedAt), e.Message)
}

// Ends watches how containers end. What a deleted pod said is gone with it, so
// nobody can ask later.
type Ends struct {
	cmd  *exec.Cmd
	stop context.CancelFunc
	said bytes.Buffer // on standard error
	done chan struct{}

	mu    sync.Mutex
	seen  []End
	err   error
	known map[string]bool
}

// WatchEnds begins to watch the pods of Curfew; ends of before do not count.
func (c *Cluster) WatchEnds(ctx context.Context) (*Ends, error) {
	before, err := c.Pods(ctx, Services...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	e := &Ends{stop: cancel, done: make(chan struct{}), known: map[string]bool{}}
	for _, p := range before {
		e.look(p)
	}
	e.seen = nil
	e.cmd = c.command(ctx, "get", "pods", "--selector=app.kubernetes.io/part-of=curfew", "--output=json", "--watch", "--output-watch-events")
	e.cmd.Stderr = &e.said
	out, err := e.cmd.StdoutPipe()
	if err == nil {
		err = e.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	go func() {
		defer close(e.done)
		events := json.NewDecoder(out)
		for {
			var change event
			if err := events.Decode(&change); err != nil {
				e.mu.Lock()
				e.err = err
				e.mu.Unlock()
				return
			}
			e.look(change.Object)
		}
	}()
	return e, nil
}

// event is a line of a watch.
type event struct {
	Object Pod `json:"object"`
}

func (e *Ends) look(p Pod) {
	e.mu.Lock()
	defer e.mu.Unlock()
	add := func(c Container, t *Terminated, init bool) {
		if t == nil || (init && t.ExitCode == 0) || e.known[t.ContainerID] {
			return
		}
		e.known[t.ContainerID] = true
		e.seen = append(e.seen, End{Pod: p.Metadata.Name, UID: p.Metadata.UID, Service: p.Service(), Container: c.Name, Init: init, Terminated: *t})
	}
	for _, c := range p.Status.InitContainers {
		add(c, c.LastState.Terminated, true)
		add(c, c.State.Terminated, true)
	}
	for _, c := range p.Status.Containers {
		add(c, c.LastState.Terminated, false)
		add(c, c.State.Terminated, false)
	}
}

// Seen returns what has ended so far.
func (e *Ends) Seen() []End {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen)
}

// Stop ends the watch. The error says that it ended earlier by itself.
func (e *Ends) Stop() error {
	e.mu.Lock()
	err := e.err
	e.mu.Unlock()
	e.stop()
	<-e.done
	waited := e.cmd.Wait()
	if err != nil {
		return errors.Join(fmt.Errorf("the watch of pods ended: %w: %s", err, e.said.String()), waited)
	}
	return nil
}
