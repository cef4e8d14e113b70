package token_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// To call it unknown would log its holder out.
func TestAKeyThatWasPublishedAfterTheLastFetchIsWaitedFor(t *testing.T) {
	issuer := tokentest.New(t)
	for name, c := range map[string]struct {
		takes, rotated, asked time.Duration // of a fetch; since the first one began
		found                 time.Duration
	}{
		"right after a fetch":        {0, time.Second, time.Second, 5 * time.Second},
		"just before the next one":   {0, time.Second, 4999 * time.Millisecond, 5 * time.Second},
		"while a fetch runs":         {2 * time.Second, time.Second, time.Second, 7 * time.Second},
		"when a fetch is to be made": {0, time.Second, 6 * time.Second, 6 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{takes: c.takes}
			e.serve(set(jwk(issuer, "a")))
			r := newRemote(t, e)
			begin := time.Now()
			go func() { _, _, _ = r.Key(t.Context(), "a") }()
			advance(c.rotated)
			e.serve(set(jwk(issuer, "a"), jwk(issuer, "b")))
			advance(c.asked - c.rotated)
			if _, _, err := r.Key(t.Context(), "b"); err != nil || time.Since(begin) != c.found {
				t.Errorf("%s: %v after %v", name, err, time.Since(begin))
			}
			if n := e.calls.Load(); n != 2 {
				t.Errorf("%s: %d fetches", name, n)
			}
		})
	}
}

func TestWhoCannotWaitForTheNextFetchIsNotToldThatTheKeyIsUnknown(t *testing.T) {
	issuer := tokentest.New(t)
	synctest.Test(t, func(t *testing.T) {
		e, r := fetched(t, issuer)
		advance(time.Second)
		begin := time.Now()
		hasty, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, _, err := r.Key(hasty, "b"); !errors.Is(err, token.ErrKeysUnavailable) || time.Since(begin) != 0 {
			t.Errorf("a call that ends before: %v after %v", err, time.Since(begin))
		}
		results := make(chan error)
		ask := func(ctx context.Context) {
			_, _, err := r.Key(ctx, "b")
			results <- err
		}
		canceled, cancel := context.WithCancel(t.Context())
		go ask(canceled)
		synctest.Wait()
		cancel()
		if err := <-results; !errors.Is(err, token.ErrKeysUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("a call that is cancelled: %v", err)
		}
		// One has waited already.
		for range 999 {
			go ask(t.Context())
		}
		synctest.Wait()
		if _, _, err := r.Key(t.Context(), "b"); !errors.Is(err, token.ErrKeysUnavailable) || time.Since(begin) != 0 {
			t.Errorf("one more than 1000: %v after %v", err, time.Since(begin))
		}
		if _, _, err := r.Key(t.Context(), "a"); err != nil {
			t.Errorf("a known key in the crowd: %v", err)
		}
		e.data.Store(nil)
		for range 999 {
			if err := <-results; !errors.Is(err, token.ErrKeysUnavailable) {
				t.Fatalf("the issuer is away: %v", err)
			}
		}
		if time.Since(begin) != 4*time.Second || e.calls.Load() != 2 {
			t.Errorf("%d fetches, %v", e.calls.Load(), time.Since(begin))
		}
	})
}

func TestCloseEndsTheWaitForTheNextFetch(t *testing.T) {
	issuer := tokentest.New(t)
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.serve(set(jwk(issuer, "a")))
		r := newRemote(t, e)
		_, _, _ = r.Key(t.Context(), "a")
		begin := time.Now()
		advance(time.Millisecond)
		results := make(chan error)
		go func() {
			_, _, err := r.Key(t.Context(), "b")
			results <- err
		}()
		synctest.Wait()
		go r.Close()
		if err := <-results; !errors.Is(err, token.ErrKeysUnavailable) || time.Since(begin) != time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if _, _, err := r.Key(t.Context(), "c"); !errors.Is(err, token.ErrKeysUnavailable) {
			t.Errorf("after the end: %v", err)
		}
		if _, _, err := r.Key(t.Context(), "a"); err != nil {
			t.Errorf("a known key after the end: %v", err)
		}
	})
}
