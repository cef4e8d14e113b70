package creds_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

func TestAfterACrashTheSameRetryKeyIsSent(t *testing.T) {
	store := creds.NewMemoryStore(spent())
	var keys []token.Raw
	ctx, crash := context.WithCancel(t.Context())
	_, err := creds.Session(store, func(_ context.Context, _, key token.Raw) (creds.Pair, error) {
		keys = append(keys, key)
		crash()
		return creds.Pair{}, errors.New("the answer was lost")
	}).Token(ctx)
	if err == nil {
		t.Fatal("got a token")
	}
	for n := range 2 {
		if _, err := creds.Session(store, func(_ context.Context, _, key token.Raw) (creds.Pair, error) {
			keys = append(keys, key)
			if n == 0 { // an answer that was repeated late
				p := pair(2)
				p.Access.ExpiresAt = time.Now().Add(-time.Hour)
				return p, nil
			}
			return pair(3), nil
		}).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 3 || keys[0] != keys[1] || keys[1] == keys[2] || len(keys[2]) < 16 {
		t.Error("want one key for all tries with one refresh token, and another one for the next")
	}
}

func TestARefreshTokenThatWasTooYoungKeepsItsRetryKey(t *testing.T) {
	store := creds.NewMemoryStore(spent())
	var sent token.Raw
	if _, err := creds.Session(store, func(_ context.Context, refresh, key token.Raw) (creds.Pair, error) {
		sent = key
		p := pair(2)
		p.Refresh = refresh
		return p, nil
	}).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held, err := store.Load(t.Context()); err != nil || held.RetryKey != sent || sent == "" {
		t.Errorf("%v: the key was changed", err)
	}
}

// slow is a store whose Replace needs its context.
type slow struct{ *creds.MemoryStore }

func (s slow) Replace(ctx context.Context, sent, next creds.Pair) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return s.MemoryStore.Replace(ctx, sent, next)
}

func TestAnAnswerIsStoredThoughTheClientIsStopping(t *testing.T) {
	store := slow{creds.NewMemoryStore(spent())}
	ctx, stop := context.WithCancel(t.Context())
	if _, err := creds.Session(store, func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
		stop()
		return pair(2), nil
	}).Token(ctx); err != nil {
		t.Error(err)
	}
	if held, err := store.Load(t.Context()); err != nil || held.Refresh != "r2" {
		t.Errorf("the answer is lost: %v", err)
	}
}

func TestAnAnswerWithoutATokenIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, spoil := range map[string]func(*creds.Pair){
			"no access token":  func(p *creds.Pair) { p.Access.Value = "" },
			"no refresh token": func(p *creds.Pair) { p.Refresh = "" },
		} {
			store := creds.NewMemoryStore(spent())
			_, err := creds.Session(store, func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
				p := pair(2)
				spoil(&p)
				return p, nil
			}).Token(t.Context())
			if err == nil || errors.Is(err, creds.ErrSignedOut) {
				t.Errorf("%s: %v", name, err)
			}
			if held, err := store.Load(t.Context()); err != nil || held.Refresh != "r1" {
				t.Errorf("%s: the store was changed: %v", name, err)
			}
		}
	})
}

// TestTheFasterOne may have logged in, or refreshed so long ago that its access
// token is over: then its refresh token is used.
func TestTheFasterOnesRefreshTokenIsUsedIfItsAccessTokenIsOver(t *testing.T) {
	store := creds.NewMemoryStore(spent())
	got, err := creds.Session(store, func(ctx context.Context, sent, key token.Raw) (creds.Pair, error) {
		if sent == "r1" {
			if ok, err := store.Replace(ctx, creds.Pair{Refresh: sent, RetryKey: key}, creds.Pair{Refresh: "login"}); !ok || err != nil {
				t.Fatal("the faster one could not store")
			}
			return pair(2), nil
		}
		if sent != "login" {
			t.Error("sent the wrong token")
		}
		return pair(9), nil
	}).Token(t.Context())
	if err != nil || got.Value != "a9" {
		t.Errorf("got %v, %v", got, err)
	}
}
