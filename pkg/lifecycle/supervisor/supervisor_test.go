package supervisor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

func TestChildrenAreReadyWhenTheGroupHasStartedAndGoneWhenItHasStopped(t *testing.T) {
	var mu sync.Mutex
	var checked []int
	spec := role("worker")
	spec.Slots = 3
	spec.OnReady = func(ctx context.Context, c Child) error {
		// The child's own service, on the connection of the control channel.
		_, err := healthv1.NewHealthClient(c.Conn()).Check(ctx, &healthv1.HealthCheckRequest{Service: fmt.Sprintf("slot %d", c.Slot())})
		mu.Lock()
		defer mu.Unlock()
		checked = append(checked, c.Slot())
		return err
	}
	s := run(t, spec)
	for i, c := range s.sup.Children() {
		if c.Slot != i || c.State != StateReady || c.Pid == 0 || c.Generation != 1 {
			t.Errorf("slot %d: %+v", i, c)
		}
	}
	eventually(t, "heartbeats bring figures", func() bool {
		return !slices.ContainsFunc(s.sup.Children(), func(c Status) bool { return c.InFlight != 1 || c.Progress == 0 || c.Oldest == 0 })
	})
	if err := s.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, s.logs)
	}
	slices.Sort(checked)
	if !slices.Equal(checked, []int{0, 1, 2}) {
		t.Errorf("OnReady ran for slots %v", checked)
	}
	for _, e := range s.ended() {
		if e.Reason != ReasonStopped || e.Code != 0 || e.Step != StepDrain || e.Err != nil || !e.Ready {
			t.Errorf("exit: %+v", e)
		}
	}
	if n := len(s.ended()); n != 3 {
		t.Errorf("%d exits, want 3", n)
	}
	if n := len(s.lines("child output")); n != 6 {
		t.Errorf("%d lines of output, want 2 for each child:\n%s", n, s.logs)
	}
}

func TestAChildThatDiesIsStartedAgainAsTheNextGeneration(t *testing.T) {
	spec := role("worker")
	spec.Slots = 2
	s := run(t, spec)
	before := s.sup.Children()
	signalPid(t, before[1].Pid, syscall.SIGKILL)
	eventually(t, "the killed child is ready again", func() bool {
		c := s.sup.Children()[1]
		return c.State == StateReady && c.Generation == 2
	})
	after := s.sup.Children()
	if after[0].Pid != before[0].Pid || after[1].Pid == before[1].Pid {
		t.Errorf("pids before %d %d, after %d %d", before[0].Pid, before[1].Pid, after[0].Pid, after[1].Pid)
	}
	e := s.firstExit()
	if e.Reason != ReasonExited || e.Signal != syscall.SIGKILL || e.Step != StepNone || e.Slot != 1 || e.Pid != before[1].Pid {
		t.Errorf("exit: %+v", e)
	}
	if after[1].LastExit == nil || after[1].LastExit.Pid != before[1].Pid {
		t.Errorf("last exit: %+v", after[1].LastExit)
	}
	if err := s.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
}
