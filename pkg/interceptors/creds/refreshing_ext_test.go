package creds_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// mill makes tokens t1, t2, ... that live for life, each in takes.
type mill struct {
	made  atomic.Int32
	life  time.Duration
	takes time.Duration
	fail  atomic.Pointer[error]
}

func (m *mill) Token(ctx context.Context) (creds.Token, error) {
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return creds.Token{}, ctx.Err()
	}
	if err := m.fail.Load(); err != nil {
		return creds.Token{}, *err
	}
	made := m.made.Add(1)
	if made > most {
		return creds.Token{}, errors.New("asked for one token after the other")
	}
	return creds.Token{Value: token.Raw(fmt.Sprint("t", made)), ExpiresAt: time.Now().Add(m.life)}, nil
}

// most is more tokens than a test needs.
const most = 10_000

func get(t *testing.T, r *creds.Refreshing) string {
	t.Helper()
	tok, err := r.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(tok.Value)
}

func TestManyCallsShareOneRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{life: 5 * time.Minute, takes: time.Second}
		r := creds.NewRefreshing(m)
		defer r.Close()
		results := make(chan string, 100)
		for range cap(results) {
			go func() {
				tok, _ := r.Token(t.Context())
				results <- string(tok.Value)
			}()
		}
		for range cap(results) {
			if got := <-results; got != "t1" {
				t.Fatalf("got %q", got)
			}
		}
	})
}

func TestATokenIsRenewedEarlyWhileTheOldOneIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{life: 5 * time.Minute, takes: time.Second}
		r := creds.NewRefreshing(m)
		defer r.Close()
		_ = get(t, r)
		advance(4*time.Minute + 29*time.Second)
		if get(t, r); m.made.Load() != 1 {
			t.Error("renewed more than 30 s before its end")
		}
		advance(time.Second)
		begin := time.Now()
		if got := get(t, r); got != "t1" || time.Since(begin) != 0 {
			t.Errorf("got %q after %s, want the old one at once", got, time.Since(begin))
		}
		advance(time.Second)
		synctest.Wait()
		if got := get(t, r); got != "t2" {
			t.Errorf("got %q, want the new one", got)
		}
	})
}

func TestAnOutageThrowsNoTokenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{life: 5 * time.Minute}
		r := creds.NewRefreshing(m)
		defer r.Close()
		_ = get(t, r)
		down := errors.New("connection refused")
		m.fail.Store(&down)
		advance(4*time.Minute + 50*time.Second)
		for range 5 {
			if got := get(t, r); got != "t1" {
				t.Fatalf("got %q", got)
			}
			advance(time.Second)
		}
		advance(10 * time.Second)
		if _, err := r.Token(t.Context()); !errors.Is(err, down) || errors.Is(err, creds.ErrSignedOut) {
			t.Errorf("after its end: %v", err)
		}
		m.fail.Store(nil)
		if got := get(t, r); got != "t2" {
			t.Errorf("after the outage: %q", got)
		}
	})
}

func TestOnlyTheTokenThatWasSentIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{life: 5 * time.Minute}
		r := creds.NewRefreshing(m)
		defer r.Close()
		_ = get(t, r)
		r.Reject("t0")
		if got := get(t, r); got != "t1" {
			t.Errorf("got %q: a late answer about an older token threw the newer one away", got)
		}
		r.Reject("t1")
		r.Reject("t1")
		if got := get(t, r); got != "t2" {
			t.Errorf("got %q", got)
		}
	})
}

func TestWaitingEndsWithTheCallAndTheRenewalGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{life: 5 * time.Minute, takes: 5 * time.Second}
		r := creds.NewRefreshing(m)
		defer r.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if got := get(t, r); got != "t1" || m.made.Load() != 1 {
			t.Errorf("got %q after %d renewals", got, m.made.Load())
		}
	})
}

func TestAClosedOneEndsItsRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := creds.NewRefreshing(&mill{takes: 20 * time.Second})
		done := make(chan error, 1)
		go func() {
			_, err := r.Token(t.Context())
			done <- err
		}()
		synctest.Wait()
		r.Close()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("got %v", err)
		}
		if _, err := r.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("got %v", err)
		}
	})
}

// advance lets virtual time pass; only inside synctest.
func advance(d time.Duration) { time.Sleep(d) }
