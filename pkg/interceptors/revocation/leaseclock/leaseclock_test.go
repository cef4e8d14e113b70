package leaseclock_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

func TestADeadlineIsOverByEitherClock(t *testing.T) {
	deadline := leaseclock.Instant{Boot: 10, Wall: 110}
	for _, test := range []struct {
		now  leaseclock.Instant
		over bool
		left time.Duration
	}{
		{leaseclock.Instant{Boot: 9, Wall: 109}, false, 1},
		{leaseclock.Instant{Boot: 10, Wall: 50}, true, 0},
		{leaseclock.Instant{Boot: 0, Wall: 110}, true, 0},
		{leaseclock.Instant{Boot: 12, Wall: 113}, true, -3},
	} {
		if deadline.Over(test.now) != test.over || deadline.Left(test.now) != test.left {
			t.Errorf("at %+v: over %t, left %d", test.now, deadline.Over(test.now), deadline.Left(test.now))
		}
	}
	if !(leaseclock.Instant{}).Over(leaseclock.System().Now()) {
		t.Error("the zero deadline is not over")
	}
}

// TestDeadlinesAreChosenWhole: of two deadlines the parts are never mixed.
func TestDeadlinesAreChosenWhole(t *testing.T) {
	a, b := leaseclock.Instant{Boot: 3, Wall: 103}, leaseclock.Instant{Boot: 13, Wall: 53} // the wall clock was set back between
	if a.Later(b) != b || b.Later(a) != b {
		t.Error("not the one that is later on the boot clock")
	}
}

func TestTheMarginIsTakenFromTheHolderAndAddedForWhoWaits(t *testing.T) {
	if got := leaseclock.Shorten(time.Second, 0.01); got != 990*time.Millisecond {
		t.Error(got)
	}
	if got := leaseclock.Lengthen(time.Second, 0.01); got != 1010*time.Millisecond {
		t.Error(got)
	}
}

func BenchmarkSystemClock(b *testing.B) {
	c := leaseclock.System()
	b.ReportAllocs()
	for b.Loop() {
		c.Now()
	}
}
