package attempt_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/attempt"
)

func TestAnAddressHasABurstAndThenItsRate(t *testing.T) {
	c := &clock{at: time.Unix(1_000_000, 0)}
	p := attempt.NewPace(2, c.now)
	take := func(address string) (n int) {
		for p.Take(address) == 0 {
			n++
		}
		return n
	}
	if n := take("10.0.0.1"); n != 20 {
		t.Errorf("burst of %d", n)
	}
	if n := take("10.0.0.2"); n != 20 {
		t.Errorf("another address: burst of %d", n)
	}
	if wait := p.Take("10.0.0.1"); wait != 500*time.Millisecond {
		t.Errorf("wait %v", wait)
	}
	c.at = c.at.Add(3 * time.Second)
	if n := take("10.0.0.1"); n != 6 {
		t.Errorf("%d in 3 s", n)
	}
	c.at = c.at.Add(time.Hour)
	if n := take("10.0.0.1"); n != 20 {
		t.Errorf("after an hour: burst of %d", n)
	}
}

func TestARateBelowOnceInABurstStillAdmitsOne(t *testing.T) {
	c := &clock{at: time.Unix(1_000_000, 0)}
	p := attempt.NewPace(0.01, c.now)
	if wait := p.Take("10.0.0.1"); wait != 0 {
		t.Errorf("the first waits %v", wait)
	}
	if wait := p.Take("10.0.0.1"); wait != 100*time.Second {
		t.Errorf("the second waits %v", wait)
	}
}

func TestNoRateIsNoLimit(t *testing.T) {
	p := attempt.NewPace(0, time.Now)
	for range 10_000 {
		if wait := p.Take("10.0.0.1"); wait != 0 {
			t.Fatalf("wait %v", wait)
		}
	}
}
