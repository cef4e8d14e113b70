package supervisor

import (
	"syscall"
	"testing"
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
