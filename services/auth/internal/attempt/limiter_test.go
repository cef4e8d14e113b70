package attempt_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/attempt"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func limiter() (*attempt.Limiter, *clock) {
	c := &clock{at: time.Unix(1_000_000, 0)}
	return attempt.New(attempt.Limits{PerAccount: 3, PerAddress: 10, Step: time.Second}, c.now), c
}

func TestTheWaitDoublesAfterTheFreeFailures(t *testing.T) {
	l, c := limiter()
	for i, want := range []time.Duration{0, 0, 0, time.Second, 2 * time.Second, 4 * time.Second} {
		if got := l.Wait("anna", "10.0.0.1"); got != want {
			t.Errorf("before failure %d: %v, want %v", i+1, got, want)
		}
		c.at = c.at.Add(want)
		l.Failed("anna", "10.0.0.1")
	}
	for range 40 {
		l.Failed("anna", "10.0.0.1")
	}
	if got := l.Wait("anna", "10.0.0.1"); got != 5*time.Minute {
		t.Errorf("the longest wait is %v", got)
	}
}

func TestAGuesserCannotLockTheOwnerOut(t *testing.T) {
	l, _ := limiter()
	for range 100 {
		l.Failed("anna", "10.0.0.1")
	}
	if got := l.Wait("anna", "10.0.0.2"); got != 0 {
		t.Errorf("the owner waits %v", got)
	}
}

func TestAnAddressThatTriesManyAccountsIsSlowedDownForAll(t *testing.T) {
	l, _ := limiter()
	for i := range 11 {
		l.Failed(string(rune('a'+i)), "10.0.0.1")
	}
	if got := l.Wait("somebody else", "10.0.0.1"); got == 0 {
		t.Error("no wait")
	}
	// Its own account does not free a guesser.
	l.Succeeded("its own", "10.0.0.1")
	if got := l.Wait("somebody else", "10.0.0.1"); got == 0 {
		t.Error("no wait after a success")
	}
}

func TestASuccessForgetsTheFailuresOfTheAccount(t *testing.T) {
	l, _ := limiter()
	for range 5 {
		l.Failed("anna", "10.0.0.1")
	}
	l.Succeeded("anna", "10.0.0.1")
	if got := l.Wait("anna", "10.0.0.1"); got != 0 {
		t.Errorf("wait %v", got)
	}
}

// Else one failure every few minutes slows a crowd behind one address down for
// ever.
func TestFailuresCountHalfAfterEachWindowHoweverOftenThereAreNewOnes(t *testing.T) {
	l, c := limiter()
	for i := range 200 {
		l.Failed("account "+strconv.Itoa(i), "10.0.0.1") // four in a window, for ever
		c.at = c.at.Add(4 * time.Minute)
		if got := l.Wait("anna", "10.0.0.1"); got != 0 {
			t.Fatalf("after %d failures: wait %v", i+1, got)
		}
	}
	for range 1000 {
		l.Failed("anna", "10.0.0.2")
	}
	c.at = c.at.Add(4 * 15 * time.Minute)
	l.Failed("anna", "10.0.0.2")
	if got := l.Wait("anna", "10.0.0.2"); got != 0 {
		t.Errorf("an hour after the guesses: wait %v", got)
	}
}

func TestAnIPv6CustomerIsOneAddress(t *testing.T) {
	l, _ := limiter()
	for i := range 20 {
		l.Failed("anna", fmt.Sprintf("2001:db8:1:2::%x", i))
	}
	if l.Wait("anna", "2001:db8:1:2:ffff::1") == 0 {
		t.Error("another address of the same /64 waits for nothing")
	}
	if got := l.Wait("anna", "2001:db8:1:3::1"); got != 0 {
		t.Errorf("the next customer waits %v", got)
	}
	for range 20 {
		l.Failed("anna", "::ffff:10.0.0.1")
	}
	if l.Wait("anna", "10.0.0.1") == 0 {
		t.Error("IPv4 in IPv6 is another address")
	}
	if got := l.Wait("anna", "10.0.0.2"); got != 0 {
		t.Errorf("its neighbour waits %v", got)
	}
}
