package supervisor

import (
	"errors"
	"syscall"
	"testing"
	"time"
)

func TestAChildThatDiesTakesItsProcessGroupAlong(t *testing.T) {
	f := start(t, "parent", "forker", 1)
	pid := f.children()[0].pid
	members := func() (n int) {
		for _, p := range f.living() {
			if p.pgrp == pid {
				n++
			}
		}
		return n
	}
	eventually(t, "the child has a descendant", func() bool { return members() == 2 })
	signalPid(t, pid, syscall.SIGKILL)
	eventually(t, "the group is gone", func() bool { return members() == 0 })
	f.endBy(syscall.SIGTERM)
}

func TestAFrozenChildIsWokenBySIGTERMSoThatItStillCommits(t *testing.T) {
	s := run(t, role("worker"))
	pid := s.sup.Children()[0].Pid
	signalPid(t, pid, syscall.SIGSTOP)
	eventually(t, "the child is stopped", func() bool { return stopped(pid) })
	// Nothing of the drain is left, and all the time for what SIGTERM begins.
	s.sup.tell(order{step: StepDrain, until: time.Now(), term: patience, quit: patience})
	if e := s.firstExit(); e.Step != StepTerm || e.Signal != 0 {
		t.Errorf("exit: %v\n%s", e, s.logs)
	}
	var stop *StopError
	if err := s.stop(); !errors.As(err, &stop) || len(stop.Exits) != 1 {
		t.Errorf("error: %v\n%s", err, s.logs)
	}
	if len(s.lines("child output")) != 2 {
		t.Errorf("the child did not commit:\n%s", s.logs)
	}
}
