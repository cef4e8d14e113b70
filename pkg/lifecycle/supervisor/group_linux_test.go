package supervisor

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
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
	s := run(t, role("worker"),
		lifecycle.WithGrace(8*time.Second), lifecycle.WithReserve(time.Second),
		lifecycle.WithBudget(lifecycle.Commit, 0, 0), lifecycle.WithBudget(lifecycle.Leave, 0, 0))
	pid := s.sup.Children()[0].Pid
	signalPid(t, pid, syscall.SIGSTOP)
	eventually(t, "the child is stopped", func() bool { return stopped(pid) })
	err := s.stop()
	var stop *StopError
	if !errors.As(err, &stop) || len(stop.Exits) != 1 || stop.Exits[0].Step != StepTerm || stop.Exits[0].Signal != 0 {
		t.Errorf("error: %v\n%s", err, s.logs)
	}
	if len(s.lines("child output")) != 2 {
		t.Errorf("the child did not commit:\n%s", s.logs)
	}
}
