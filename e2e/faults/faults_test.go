package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/faults"
)

// Bounds of a revoking call and of the time after the last fault.
const (
	// leaseBound is one row lease with the drift.
	leaseBound = rowBudget
	calm       = 20 * time.Second
	// progress is the pause between two lines about how far a run is.
	progress = time.Minute
)

func soak() bool { return os.Getenv("CURFEW_TEST_SIZE") == "soak" }

func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if s := os.Getenv("CURFEW_TEST_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", n)
	return n
}

// size is how much one run does.
type size struct {
	installations int // side by side, each broken by itself
	// Of all of them together, at least.
	revocations, faults int
	limit               time.Duration
}

func (s size) each() size {
	return size{1, s.revocations / s.installations, s.faults / s.installations, s.limit}
}

func TestNoCallIsAdmittedAfterARevokeReturnedWhateverBreaks(t *testing.T) {
	t.Parallel()
	whole := size{installations: 1, revocations: 3000, faults: 30, limit: 6 * time.Minute}
	if soak() {
		// One leaves half of four processors idle: it waits for leases.
		whole = size{installations: 2, revocations: 100_000, faults: 4000, limit: 3 * time.Hour}
	}
	first := seed(t)
	for n := range whole.installations {
		t.Run(fmt.Sprintf("installation %d", n), func(t *testing.T) {
			t.Parallel()
			breakAndJudge(t, rand.New(rand.NewPCG(first, uint64(n))), whole.each())
		})
	}
}

// breakAndJudge breaks an installation while clients use it, and judges what
// they saw.
func breakAndJudge(t *testing.T, random *rand.Rand, wanted size) {
	t.Helper()
	installation := installations.take(t)
	clients, err := faults.NewClients(t.Context(), installation)
	if err != nil {
		t.Fatal(err)
	}
	// Most of the time a user waits for a lease to end. A small machine could not
	// serve so many.
	users, err := clients.Register(t.Context(), 24*min(runtime.NumCPU(), 4))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wanted.limit)
	defer cancel()
	start := time.Now()
	var done faults.Broken
	var running sync.WaitGroup
	running.Go(func() { clients.Run(ctx, users) })
	running.Go(func() {
		defer cancel()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for next := start.Add(progress); ctx.Err() == nil; {
			got := clients.Tally()
			if got.Revocations >= wanted.revocations && done.Count() >= wanted.faults || len(got.Wrong) > 0 {
				return
			}
			if now := <-tick.C; now.After(next) {
				next = next.Add(progress)
				t.Logf("after %v: %d revocations, %d without an outcome, %d faults", now.Sub(start).Round(time.Second), got.Revocations, got.Unknown, done.Count())
			}
		}
	})
	if err := installation.Break(ctx, random, &done, t.Logf); err != nil {
		t.Error(err)
	}
	running.Wait()
	got := clients.Tally()
	for _, err := range got.Wrong {
		t.Error(err)
	}
	if got.Longest > leaseBound+busy {
		t.Errorf("a revoking call waited %v on a machine that had time for it, bound %v", got.Longest, leaseBound)
	}
	if got.Revocations < wanted.revocations || done.Count() < wanted.faults || got.Admitted == 0 || got.Refused == 0 || got.Ticks == 0 || got.Refreshed == 0 {
		t.Errorf("the clients did too little: %+v, or too little broke: %d", got, done.Count())
	}
	t.Logf("in %v: %d faults, %d tokens, %d revocations, %d without an outcome %v; %d refreshes; %d calls admitted, %d refused, %d unavailable, %d messages of streams; longest wait %v",
		time.Since(start), done.Count(), got.Tokens, got.Revocations, got.Unknown, got.Reasons, got.Refreshed, got.Admitted, got.Refused, got.Unavailable, got.Ticks, got.Longest)
	recovers(t, installation, clients)
}

// recovers: when everything is whole again, every replica lets a good token in
// without anybody's help.
func recovers(t *testing.T, installation *faults.Installation, clients *faults.Clients) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), calm)
	defer cancel()
	for _, s := range installation.Auths {
		if err := s.AwaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	token, err := clients.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range installation.Replicas {
		if err := until(ctx, func() error { return token.Look(ctx, s) }, succeeded); err != nil {
			t.Fatalf("%s has not recovered in %v: %v", s.Name, calm, err)
		}
	}
}

func succeeded(err error) bool { return err == nil }

// until calls again and again until the outcome is one that is good or ctx
// ends, and returns the last outcome that was not good.
func until(ctx context.Context, call func() error, good func(error) bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := call()
		if good(err) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
