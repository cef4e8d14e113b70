package token_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

var discard = slog.New(slog.DiscardHandler)

// endpoint is an issuer's key endpoint in virtual time.
type endpoint struct {
	data  atomic.Pointer[[]byte]
	calls atomic.Int32
	takes time.Duration
}

func (e *endpoint) serve(data []byte) { e.data.Store(&data) }

func (e *endpoint) fetch(ctx context.Context) ([]byte, error) {
	e.calls.Add(1)
	data := e.data.Load() // what comes is what was so when it was asked
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if data != nil {
		return *data, nil
	}
	return nil, errors.New("connection refused")
}

func newRemote(t *testing.T, e *endpoint) *token.Remote {
	t.Helper()
	r, err := token.NewRemote(e.fetch, discard, token.RemoteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestManyCallsForAnUnknownKeyCauseOneFetchPerPause(t *testing.T) {
	issuer := tokentest.New(t)
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{takes: time.Second}
		e.serve(set(jwk(issuer, "a")))
		r := newRemote(t, e)
		results := make(chan error, 100)
		for range cap(results) {
			go func() {
				_, _, err := r.Key(t.Context(), "a")
				results <- err
			}()
		}
		for range cap(results) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		for round := range int32(3) {
			advance(time.Second)
			for range 1000 {
				go func() {
					_, _, err := r.Key(t.Context(), "invented")
					results <- err
				}()
			}
			for range 1000 {
				if err := <-results; !errors.Is(err, token.ErrUnknownKey) {
					t.Fatal(err)
				}
			}
			if n := e.calls.Load(); n != round+2 {
				t.Errorf("%d fetches in %d rounds", n, round+1)
			}
		}
	})
}

// fetched returns a Remote that knows the key "a" since now, and where it asks.
func fetched(t *testing.T, issuer *tokentest.Issuer) (*endpoint, *token.Remote) {
	t.Helper()
	e := &endpoint{}
	e.serve(set(jwk(issuer, "a")))
	r := newRemote(t, e)
	if _, _, err := r.Key(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	return e, r
}

func TestARotatedKeyIsFoundAtOnce(t *testing.T) {
	issuer := tokentest.New(t)
	synctest.Test(t, func(t *testing.T) {
		e, r := fetched(t, issuer)
		advance(time.Minute)
		e.serve(set(jwk(issuer, "a"), jwk(issuer, "b")))
		if _, _, err := r.Key(t.Context(), "b"); err != nil {
			t.Error(err)
		}
	})
}

func TestKeysAreServedThroughAnOutageForABoundedTime(t *testing.T) {
	issuer := tokentest.New(t)
	synctest.Test(t, func(t *testing.T) {
		e, r := fetched(t, issuer)
		e.data.Store(nil)
		advance(23 * time.Hour)
		if _, _, err := r.Key(t.Context(), "a"); err != nil {
			t.Errorf("after 23 h: %v", err)
		}
		synctest.Wait()
		if _, _, err := r.Key(t.Context(), "b"); !errors.Is(err, token.ErrKeysUnavailable) {
			t.Errorf("an unknown key in an outage must not be called unknown: %v", err)
		}
		advance(time.Hour)
		if _, _, err := r.Key(t.Context(), "a"); !errors.Is(err, token.ErrKeysUnavailable) {
			t.Errorf("after 24 h: %v", err)
		}
		e.serve(set(jwk(issuer, "a")))
		advance(5 * time.Second)
		if _, _, err := r.Key(t.Context(), "a"); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

func TestAWithdrawnKeyIsGoneAfterTheNextRefresh(t *testing.T) {
	issuer := tokentest.New(t)
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.serve(set(jwk(issuer, "a"), jwk(issuer, "b")))
		r := newRemote(t, e)
		_, _, _ = r.Key(t.Context(), "a")
		e.serve(set(jwk(issuer, "b")))
		advance(5 * time.Minute)
		if _, _, err := r.Key(t.Context(), "a"); err != nil {
			t.Errorf("refreshing in the background: %v", err)
		}
		synctest.Wait()
		if _, _, err := r.Key(t.Context(), "a"); !errors.Is(err, token.ErrUnknownKey) {
			t.Error(err)
		}
	})
}

func TestAFreshSetIsWaitedForAMomentAndNoLonger(t *testing.T) {
	issuer := tokentest.New(t)
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{takes: time.Second}
		e.serve(set(jwk(issuer, "a")))
		r, err := token.NewRemote(e.fetch, discard, token.RemoteOptions{Fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		key := func(what string, waits time.Duration, want error) {
			t.Helper()
			begin := time.Now()
			if _, _, err := r.Key(t.Context(), "a"); !errors.Is(err, want) || time.Since(begin) != waits {
				t.Errorf("%s: %v after %v", what, err, time.Since(begin))
			}
		}
		key("at first", time.Second, nil)
		key("while it is fresh", 0, nil)
		advance(5 * time.Minute)
		key("when it is due", time.Second, nil)
		synctest.Wait()
		// An issuer that hangs, or is away, is no outage of its tokens.
		e.takes = time.Hour
		advance(5 * time.Minute)
		key("while the issuer hangs", 2*time.Second, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := r.Key(ctx, "a"); !errors.Is(err, token.ErrKeysUnavailable) {
			t.Errorf("a call that has less time: %v", err)
		}
		advance(10 * time.Second)
		key("after that fetch was given up", 2*time.Second, nil)
		synctest.Wait()
		e.data.Store(nil)
		e.takes = 0
		advance(time.Hour)
		key("while the issuer is away", 0, nil)
		e.serve(set(jwk(issuer, "b")))
		advance(5 * time.Second)
		key("withdrawn", 0, token.ErrUnknownKey)
	})
}

func TestWaitingForKeysEndsWithTheCallAndTheFetchWithItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{takes: time.Hour}
		r := newRemote(t, e)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, _, err := r.Key(ctx, "a"); !errors.Is(err, token.ErrKeysUnavailable) || time.Since(begin) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
		if _, _, err := r.Key(t.Context(), "a"); !errors.Is(err, token.ErrKeysUnavailable) || time.Since(begin) != 10*time.Second {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
	})
}

func TestKeysComeOverHTTP(t *testing.T) {
	f, _ := newForge(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/jwks.json":
			_, _ = w.Write(set(jwk(f.issuer, tokentest.KeyID)))
		case "/redirect":
			http.Redirect(w, r, "/jwks.json", http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, 1<<20))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for path, ok := range map[string]bool{"/jwks.json": true, "/redirect": false, "/large": false, "/none": false} {
		fetch, err := token.HTTP(server.URL+path, server.Client())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := token.NewRemote(fetch, discard, token.RemoteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := token.NewVerifier(token.Curfew(f.issuer.URL, keys))
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), f.withClaims(nil))
		if ok != (err == nil) || (!ok && !errors.Is(err, token.ErrKeysUnavailable)) {
			t.Errorf("%s: %v", path, err)
		}
		keys.Close()
		v.Close()
	}
	for _, address := range []string{"http://example.org/jwks.json", "ftp://localhost/x", "file:///etc/passwd", "::"} {
		if _, err := token.HTTP(address, nil); err == nil {
			t.Errorf("%s: taken", address)
		}
	}
}

// advance lets virtual time pass; only inside synctest.
func advance(d time.Duration) { time.Sleep(d) }
