package stall_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/services/auth/internal/stall"
)

// machine is a clock whose wall and boot time go on together, or not.
type machine struct{ at leaseclock.Instant }

func (m *machine) Now() leaseclock.Instant { return m.at }

func (m *machine) pass(d time.Duration) { m.at = m.at.Add(d) }

// R AB_ZOMBIE.
func TestWhatWaitedInAPausedProcessIsRefusedForAMoment(t *testing.T) {
	m := &machine{at: leaseclock.Instant{Boot: time.Hour, Wall: 1000 * time.Hour}}
	g := stall.New(m, 5*time.Second)
	for range 10 {
		m.pass(4999 * time.Millisecond)
		if !g.Open() {
			t.Fatal("closed without a pause")
		}
	}
	m.pass(5 * time.Second)
	if g.Open() {
		t.Error("open right after a pause")
	}
	m.pass(4 * time.Second)
	if g.Open() {
		t.Error("open while the buffers empty")
	}
	m.pass(time.Second)
	if !g.Open() {
		t.Error("closed for good")
	}
}

// Suspend stops the boot clock of some machines; then the wall clock tells.
func TestEitherClockTells(t *testing.T) {
	m := &machine{at: leaseclock.Instant{Boot: time.Hour, Wall: 1000 * time.Hour}}
	g := stall.New(m, 5*time.Second)
	m.at.Wall += 6 * time.Second
	if g.Open() {
		t.Error("the wall clock was not looked at")
	}
}

func TestRunKeepsTheGateOpenWithoutCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := stall.New(sinceStart{start}, 5*time.Second)
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		time.Sleep(time.Minute)
		if !g.Open() {
			t.Error("closed after a minute without calls")
		}
	})
}

// sinceStart follows the time of the bubble.
type sinceStart struct{ at time.Time }

func (s sinceStart) Now() leaseclock.Instant {
	d := time.Since(s.at)
	return leaseclock.Instant{Boot: time.Hour + d, Wall: 1000*time.Hour + d}
}
