package faults_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/faults"
)

// away is how long the first server of a rolling restart stays stopped: as
// clients of gRPC find nobody they pause for longer and longer, past a lease,
// and the second one stops when the first one has just come back.
const away = 4 * time.Second

// TestARollingRestartOfAuthRefusesNoCallForLackOfALease: two servers of the
// feed are restarted, one after the other, while every replica is called.
func TestARollingRestartOfAuthRefusesNoCallForLackOfALease(t *testing.T) {
	installation := installations.take(t) // and not beside other tests: they would starve a lease
	third := installation.Auths[2]
	if err := third.Stop(); err != nil {
		t.Fatal(err)
	}
	clients, err := faults.NewClients(t.Context(), installation)
	if err != nil {
		t.Fatal(err)
	}
	token, err := clients.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	load, stop := context.WithCancel(token.Context(t.Context()))
	var running sync.WaitGroup
	var mu sync.Mutex
	calls := 0
	defer running.Wait() // where the test ends early too
	defer stop()
	for _, s := range installation.Replicas {
		running.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for load.Err() == nil {
				call, cancel := context.WithTimeout(load, calm)
				err := faults.Look(call, s)
				cancel()
				if err != nil && status.Code(err) != codes.Canceled {
					t.Errorf("%s at %s: %v", s.Name, time.Now().Format("05.000"), err)
				}
				mu.Lock()
				calls++
				mu.Unlock()
				<-tick.C
			}
		})
	}
	for n, s := range installation.Auths[:2] {
		start := time.Now()
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		t.Logf("%s stopped in %v, at %s", s.Name, time.Since(start), time.Now().Format("05.000"))
		if n == 0 {
			<-time.After(away)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.AwaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	running.Wait()
	t.Logf("%d calls", calls)
	if err := third.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	recovers(t, installation, clients)
}

// TestTheOracleSeesAnAdmission: a replica without revocations is found out.
func TestTheOracleSeesAnAdmission(t *testing.T) {
	t.Parallel()
	installation := installations.take(t)
	clients, err := faults.NewClients(t.Context(), installation)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), calm)
	defer cancel()
	err = installation.Blind(t.Context(), installation.Replicas[0], func() error {
		for ctx.Err() == nil && len(clients.Tally().Wrong) == 0 {
			token, err := clients.Token(ctx)
			if err != nil {
				return err
			}
			if _, err := token.Revoke(ctx, installation.Auths[0], faults.Logout); err != nil {
				continue // the next one may be
			}
			token.LookAtAll(ctx, calm)
			_ = token.Judge() // counted
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(clients.Tally().Wrong) == 0 {
		t.Error("a replica that knows no revocations went unnoticed")
	}
}
