package supervisor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Each child here breaks the rules in its own way. It must end, as a process,
// with a reason that names what it did.
func TestAHostileChildEndsWithAReasonThatNamesWhatItDid(t *testing.T) {
	for _, c := range []struct {
		role   string
		change func(*Spec)
		reason Reason
		err    error
		step   Step
	}{
		{role: "garbage", reason: ReasonProtocol, err: ErrProtocol, step: StepKill},
		{role: "wrong service", reason: ReasonProtocol, err: ErrProtocol, step: StepKill},
		{role: "liar", reason: ReasonProtocol, err: ErrProtocol, step: StepKill},
		{role: "negative", reason: ReasonProtocol, err: ErrProtocol, step: StepKill},
		{
			role: "huge", change: func(s *Spec) { s.ProgressTimeout = 300 * time.Millisecond },
			reason: ReasonStalled, err: ErrStalled, step: StepQuit,
		},
		{
			role: "busybody", change: func(s *Spec) { s.OldestTimeout = 300 * time.Millisecond },
			reason: ReasonStalled, err: ErrStalled, step: StepQuit,
		},
		{role: "old version", reason: ReasonVersion, err: ErrVersion, step: StepKill},
		{role: "mute", change: func(s *Spec) { s.HelloTimeout = 1500 * time.Millisecond }, reason: ReasonNoHello, err: ErrNoHello, step: StepQuit},
		{role: "closer", reason: ReasonChannelClosed, err: ErrChannelClosed, step: StepTerm},
		{
			role: "stuck", change: func(s *Spec) { s.ProgressTimeout = 300 * time.Millisecond },
			reason: ReasonStalled, err: ErrStalled, step: StepQuit,
		},
		{
			role: "silent", change: func(s *Spec) { s.HeartbeatTimeout = 200 * time.Millisecond },
			reason: ReasonUnresponsive, err: ErrUnresponsive, step: StepQuit,
		},
		{role: "crash", reason: ReasonExited, step: StepNone},
	} {
		t.Run(c.role, func(t *testing.T) {
			spec := role(c.role)
			spec.Restart.Never = true
			spec.Heartbeat = 50 * time.Millisecond
			spec.HelloTimeout = patience
			if c.change != nil {
				c.change(&spec)
			}
			s := run(t, spec)
			e := s.firstExit()
			if e.Reason != c.reason || !errors.Is(e.Err, c.err) || e.Step != c.step {
				t.Errorf("got %v, want reason %q with %v by %v\n%s", e, c.reason, c.err, c.step, s.logs)
			}
			if c.step == StepQuit && !strings.Contains(e.Stacks, "goroutine 1 ") {
				t.Errorf("stacks: %.200q", e.Stacks)
			}
			if c.role == "crash" && (e.Code != 2 || !strings.Contains(e.Stderr, "panic: poisonous record")) {
				t.Errorf("code %d, stderr %.200q", e.Code, e.Stderr)
			}
			if err := s.stop(); err != nil && !strings.Contains(err.Error(), ErrNotReady.Error()) {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

func TestAChildThatIgnoresDrainAndSIGTERMIsForcedAndNamedInTheReportWithItsStacks(t *testing.T) {
	s := run(t, role("stubborn"),
		lifecycle.WithGrace(6*time.Second), lifecycle.WithReserve(time.Second),
		lifecycle.WithBudget(lifecycle.Commit, 0, 0), lifecycle.WithBudget(lifecycle.Leave, 0, 0))
	pid := s.sup.Children()[0].Pid
	err := s.stop()
	if lifecycle.ExitCode(err) != lifecycle.ExitDeadline {
		t.Errorf("exit code %d of %v", lifecycle.ExitCode(err), err)
	}
	var stop *StopError
	if !errors.As(err, &stop) || len(stop.Exits) != 1 {
		t.Fatalf("error: %v", err)
	}
	e := stop.Exits[0]
	if e.Reason != ReasonForced || e.Step != StepQuit || e.Pid != pid {
		t.Errorf("exit: %v", e)
	}
	part := reportOf(t, s.group.Report(), "test.drain")
	if !strings.Contains(part.Error, "test/0") || !strings.Contains(part.Error, "SIGQUIT") {
		t.Errorf("part: %+v", part)
	}
	if !strings.Contains(part.Stack, "goroutine ") {
		t.Errorf("stack: %.200q", part.Stack)
	}
	if strings.Contains(s.logs.String(), `"line":"goroutine 1`) {
		t.Error("the stacks were logged line by line as well")
	}
}

func TestChildrenThatKeepDyingStopTheGroup(t *testing.T) {
	spec := role("old version")
	spec.Slots = 2
	spec.Restart = RestartPolicy{Min: time.Millisecond, Max: 2 * time.Millisecond, Intensity: 5}
	s := begin(t, spec)
	err := s.wait()
	if !errors.Is(err, ErrIntensity) || lifecycle.ExitCode(err) != lifecycle.ExitError {
		t.Errorf("error %v, exit code %d", err, lifecycle.ExitCode(err))
	}
	// Two first starts and five restarts, the last of which the stop may have
	// found in its backoff.
	if n := len(s.ended()); n < 6 || n > 7 {
		t.Errorf("%d generations, want 7", n)
	}
}

func TestAProgramThatCannotBeStartedIsAnExitWithoutAPid(t *testing.T) {
	spec := role("worker")
	spec.Path = "/nowhere/to/be/found"
	spec.Restart.Never = true
	s := begin(t, spec)
	if err := s.wait(); !errors.Is(err, ErrNotReady) {
		t.Errorf("error: %v", err)
	}
	if e := s.firstExit(); e.Reason != ReasonStartFailed || e.Pid != 0 || e.Code != -1 || e.Err == nil {
		t.Errorf("exit: %+v", e)
	}
}

func TestAChildAtItsDataLimitDiesWithStatus2AndATraceAsEvidence(t *testing.T) {
	spec := role("hungry")
	spec.LimitData = 400 << 20
	spec.Restart.Never = true
	spec.HelloTimeout = patience
	s := begin(t, spec)
	_ = s.wait()
	e := s.firstExit()
	if e.Code != 2 || e.Reason != ReasonExited || e.Forced() || e.Stderr == "" {
		t.Errorf("exit %v, stderr %.300q", e, e.Stderr)
	}
}

// reportOf finds a part in a report.
func reportOf(t *testing.T, r lifecycle.Report, name string) lifecycle.PartReport {
	t.Helper()
	for _, phase := range r.Phases {
		for _, part := range phase.Parts {
			if part.Name == name {
				return part
			}
		}
	}
	t.Fatalf("no part %q in %+v", name, r)
	return lifecycle.PartReport{}
}
