package supervisor

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestRestartDrainsTheChildAndReturnsWhenTheNextGenerationIsReady(t *testing.T) {
	s := run(t, role("worker", drainVar+"=50ms"))
	before := s.sup.Children()[0]
	if err := s.sup.Restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	after := s.sup.Children()[0]
	if after.State != StateReady || after.Generation != 2 || after.Pid == before.Pid {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if e := s.firstExit(); e.Reason != ReasonStopped || e.Code != 0 || e.Step != StepDrain {
		t.Errorf("exit: %v", e)
	}
	if lines := s.lines("child output"); len(lines) == 0 || lines[0]["line"] != "drained in full" {
		t.Errorf("output: %v", lines)
	}
}

func TestAStoppedSlotStaysStoppedUntilRestart(t *testing.T) {
	spec := role("worker")
	spec.Slots = 2
	s := run(t, spec)
	if err := s.sup.Stop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if c := s.sup.Children()[1]; c.State != StateStopped || c.Pid != 0 || c.LastExit == nil {
		t.Errorf("after Stop: %+v", c)
	}
	if err := s.sup.Restart(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if c := s.sup.Children()[1]; c.State != StateReady || c.Generation != 2 {
		t.Errorf("after Restart: %+v", c)
	}
	for _, slot := range []int{-1, 2} {
		if err := errors.Join(s.sup.Stop(t.Context(), slot), s.sup.Restart(t.Context(), slot)); !errors.Is(err, ErrNoSlot) {
			t.Errorf("slot %d: %v", slot, err)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.sup.Restart(t.Context(), 1); !errors.Is(err, ErrStopping) {
		t.Errorf("restart after the stop: %v", err)
	}
}

func TestStopDuringBackoffDoesNotWaitForIt(t *testing.T) {
	spec := role("worker")
	spec.Restart = RestartPolicy{Min: time.Hour, Max: time.Hour}
	s := run(t, spec)
	signalPid(t, s.sup.Children()[0].Pid, syscall.SIGKILL)
	eventually(t, "the slot is in backoff", func() bool { return s.sup.Children()[0].State == StateBackoff })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if len(s.ended()) != 1 {
		t.Errorf("exits: %v", s.ended())
	}
}

func TestAStopDuringTheStartEndsChildrenThatAreNotReadyYet(t *testing.T) {
	spec := role("mute")
	spec.HelloTimeout = time.Hour
	s := begin(t, spec, lifecycle.WithGrace(6*time.Second), lifecycle.WithReserve(time.Second),
		lifecycle.WithBudget(lifecycle.Commit, 0, 0), lifecycle.WithBudget(lifecycle.Leave, 0, 0))
	eventually(t, "the child runs", func() bool { return s.sup.Children()[0].Pid != 0 })
	_ = s.stop()
	if e := s.firstExit(); e.Ready || !e.Forced() {
		t.Errorf("exit: %v", e)
	}
}

func TestASecondSignalEndsTheDrainingOfChildrenAndLeavesThemTheirCommit(t *testing.T) {
	s := run(t, role("worker", drainVar+"=1h"))
	s.group.Signal(syscall.SIGTERM)
	eventually(t, "the child drains", func() bool { return s.sup.Children()[0].State == StateStopping })
	s.group.Signal(syscall.SIGTERM)
	_ = s.wait()
	lines := s.lines("child output")
	if len(lines) != 2 || lines[0]["line"] != "drain cut short: second signal" || lines[1]["line"] != "committed" {
		t.Errorf("output: %v\n%s", lines, s.logs)
	}
}

func TestAChildEndsItsDrainItselfEarlyEnoughForItsCommit(t *testing.T) {
	// The child's own grace is 30 s; what counts is what its parent has left.
	s := run(t, role("worker", drainVar+"=1h"), lifecycle.WithGrace(20*time.Second),
		lifecycle.WithBudget(lifecycle.Drain, time.Second, 9*time.Second))
	_ = s.stop()
	e := s.firstExit()
	if e.Step != StepDrain || e.Code != lifecycle.ExitDeadline || !errors.Is(e.Err, errUncleanStop) {
		t.Errorf("exit: %v", e)
	}
	if lifecycle.ExitCode(s.err) != lifecycle.ExitDeadline {
		t.Errorf("exit code of the parent for %v", s.err)
	}
	lines := s.lines("child output")
	if len(lines) != 2 || lines[1]["line"] != "committed" {
		t.Errorf("output: %v\n%s", lines, s.logs)
	}
}

func TestPlainChildrenStopInTheirPhaseAfterThoseThatNeedThem(t *testing.T) {
	var ends atomic.Int64
	s := run(t, role("worker"))
	server := role("plain")
	server.Name, server.Plain, server.StopPhase = "server", true, lifecycle.Close
	polls := 0
	server.Ready = func(context.Context) error {
		if polls++; polls < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	server.OnExit = func(Exit) {
		if len(s.ended()) != 1 {
			t.Error("the server stopped before the worker")
		}
		ends.Add(1)
	}
	if _, err := Add(s.group, server); err != nil {
		t.Fatal(err)
	}
	if polls != 3 {
		t.Errorf("Add returned after %d polls, want 3", polls)
	}
	if err := s.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if len(s.ended()) != 1 || ends.Load() != 1 {
		t.Errorf("exits: %v, of the server: %d", s.ended(), ends.Load())
	}
	report := s.group.Report()
	for _, name := range []string{"test.intake", "test.drain", "test.reap", "server.drain"} {
		if part := reportOf(t, report, name); part.Outcome != lifecycle.Clean {
			t.Errorf("part: %+v", part)
		}
	}
}

func TestAStopInOnePhaseReleasesWhatChildrenShareThoughOneWasForced(t *testing.T) {
	spec := role("stubborn")
	spec.StopPhase = lifecycle.Close
	s := run(t, spec, lifecycle.WithGrace(8*time.Second), lifecycle.WithReserve(time.Second),
		lifecycle.WithBudget(lifecycle.Commit, 0, 0), lifecycle.WithBudget(lifecycle.Leave, 0, 0),
		lifecycle.WithBudget(lifecycle.Close, 5*time.Second, 5*time.Second))
	err := s.stop()
	var stop *StopError
	if !errors.As(err, &stop) || len(stop.Exits) != 1 || len(stop.Alive) != 0 {
		t.Errorf("error: %v", err)
	}
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	if s.sup.release != nil || s.sup.spawner != nil || s.sup.post != nil {
		t.Error("spawner, warden and reaper are held")
	}
}

func TestAStopInOnePhaseThatIsCutShortKillsWhoIsLeft(t *testing.T) {
	spec := role("stubborn")
	spec.StopPhase, spec.TermTimeout = lifecycle.Close, time.Hour
	s := run(t, spec)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.sup.stopAll(ctx); err == nil {
		t.Error("a child that lived was no error")
	}
	eventually(t, "the child is killed", func() bool { return len(s.ended()) == 1 })
	if e := s.firstExit(); !e.Forced() || e.Step != StepKill {
		t.Errorf("exit: %v", e)
	}
}

func TestASupervisorCanBeAddedToARunningGroupAndClosedAlone(t *testing.T) {
	s := run(t, role("worker"))
	extra := role("forker")
	extra.Name = "extra"
	sup, err := Add(s.group, extra)
	if err != nil {
		t.Fatal(err)
	}
	if c := sup.Children()[0]; c.State != StateReady {
		t.Errorf("added: %+v", c)
	}
	if err := sup.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	if c := sup.Children()[0]; c.State != StateStopped || c.Pid != 0 {
		t.Errorf("closed: %+v", c)
	}
	// Its name is free again.
	extra.Args = []string{"worker", "again"}
	if _, err = Add(s.group, extra); err != nil {
		t.Error(err)
	}
	bad := role("mute")
	bad.Name, bad.HelloTimeout, bad.Restart.Never = "bad", 50*time.Millisecond, true
	if _, err = Add(s.group, bad); !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), ErrNoHello.Error()) {
		t.Errorf("a child that can't start: %v", err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestAnErrorOfOnReadyEndsTheGeneration(t *testing.T) {
	refusal := errors.New("no partition for it")
	spec := role("worker")
	spec.Restart.Never = true
	spec.OnReady = func(context.Context, Child) error { return refusal }
	s := begin(t, spec)
	if err := s.wait(); !errors.Is(err, ErrNotReady) {
		t.Errorf("error: %v", err)
	}
	if e := s.firstExit(); e.Reason != ReasonRefused || !errors.Is(e.Err, refusal) || e.Code != 0 || e.Ready {
		t.Errorf("exit: %v", e)
	}
}

func TestAnImpossibleSpecIsRefused(t *testing.T) {
	for name, spec := range map[string]Spec{
		"no name":                 {},
		"long name":               {Name: strings.Repeat("n", maxNameBytes+1)},
		"negative slots":          {Name: "n", Slots: -1},
		"negative time":           {Name: "n", TermTimeout: -1},
		"ready of no plain":       {Name: "n", Ready: func(context.Context) error { return nil }},
		"stop signal of no plain": {Name: "n", StopSignal: syscall.SIGINT},
		"on ready of a plain":     {Name: "n", Plain: true, OnReady: func(context.Context, Child) error { return nil }},
		"max below min":           {Name: "n", Restart: RestartPolicy{Min: 2, Max: 1}},
		"negative backoff":        {Name: "n", Restart: RestartPolicy{Min: -1}},
		"soft above hard":         {Name: "n", Rlimits: []Rlimit{{Soft: 2, Hard: 1}}},
		"unknown phase":           {Name: "n", StopPhase: 99},
	} {
		g, err := lifecycle.New(quiet()...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Add(g, spec); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
