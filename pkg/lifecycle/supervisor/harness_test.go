package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// patience bounds every wait of a test; a loaded machine may need it.
const patience = 30 * time.Second

// stand is a group with one supervisor that runs in the test.
type stand struct {
	t     testing.TB
	group *lifecycle.Group
	sup   *Supervisor
	logs  *lockedBuffer

	done chan struct{}
	err  error

	mu    sync.Mutex
	exits []Exit
}

// role is a spec of children that play a role.
func role(name string, env ...string) Spec {
	return Spec{
		Name: "test", Args: []string{"worker"},
		// The race detector would make every child sleep for a second at its end.
		Env: append(append(os.Environ(), roleVar+"="+name, "GORACE=atexit_sleep_ms=0"), env...),
		// Short, so that a test that fails ends; the children are quick.
		TermTimeout: time.Second, QuitTimeout: 2 * time.Second,
	}
}

// run starts a group with the children and waits until it has started, or has
// ended because it could not.
func run(t testing.TB, spec Spec, opts ...lifecycle.Option) *stand {
	t.Helper()
	s := begin(t, spec, opts...)
	select {
	case <-s.group.Started():
	case <-s.done:
	case <-time.After(patience):
		t.Fatalf("the group did not start\n%s", s.logs)
	}
	return s
}

// begin is run without the wait.
func begin(t testing.TB, spec Spec, opts ...lifecycle.Option) *stand {
	t.Helper()
	s := &stand{t: t, logs: &lockedBuffer{}, done: make(chan struct{})}
	log := slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	group, err := lifecycle.New(append([]lifecycle.Option{
		lifecycle.WithoutSignals(), lifecycle.WithReportWriter(nil), lifecycle.WithLogger(log),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	s.group = group
	spec.Log = log
	onExit := spec.OnExit
	spec.OnExit = func(e Exit) {
		s.mu.Lock()
		s.exits = append(s.exits, e)
		s.mu.Unlock()
		if onExit != nil {
			onExit(e)
		}
	}
	if s.sup, err = Add(group, spec); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		s.err = group.Run(context.Background())
	}()
	t.Cleanup(func() { _ = s.stop() })
	return s
}

// stop stops the group and returns the error of Run.
func (s *stand) stop() error {
	s.t.Helper()
	s.group.Shutdown(nil)
	return s.wait()
}

// wait waits for the end of the group.
func (s *stand) wait() error {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(2 * patience):
		s.t.Fatalf("the group did not stop\n%s", s.logs)
	}
	return s.err
}

// ended returns the ends so far.
func (s *stand) ended() []Exit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Exit(nil), s.exits...)
}

// firstExit waits for the first end of a child.
func (s *stand) firstExit() Exit {
	s.t.Helper()
	eventually(s.t, "a child ends", func() bool { return len(s.ended()) > 0 })
	return s.ended()[0]
}

// lines returns the log records with the given message.
func (s *stand) lines(message string) []map[string]any {
	var found []map[string]any
	for line := range strings.Lines(s.logs.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			s.t.Fatalf("log line %q: %v", line, err)
		}
		if record["msg"] == message {
			found = append(found, record)
		}
	}
	return found
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-limit:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// signalPid sends a signal to a process that a test knows by its number only.
func signalPid(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("signal %v to %d would be one to many", sig, pid)
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("signal %v to %d: %v", sig, pid, err)
	}
}

// lockedBuffer is a buffer for several writers.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// pipeOf returns a pipe that holds a text.
func pipeOf(text string) (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err == nil {
		_, err = w.WriteString(text)
	}
	return r, w, err
}
