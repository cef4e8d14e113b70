package creds_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// exchanger is an issuer that gives the sessions x1, x2, ..., each of which can
// be refreshed, and a provider whose newest token is `held`.
type exchanger struct {
	held      string
	asked     int      // for external tokens
	exchanged []string // external tokens
	refreshed []token.Raw

	refuse func(external string) error
	end    error // of every refresh
}

func (e *exchanger) external(context.Context) (creds.Token, error) {
	e.asked++
	return creds.Token{Value: token.Raw(e.held), Found: true}, nil
}

func (e *exchanger) exchange(_ context.Context, external token.Raw) (creds.Pair, error) {
	e.exchanged = append(e.exchanged, string(external))
	if e.refuse != nil {
		if err := e.refuse(string(external)); err != nil {
			return creds.Pair{}, err
		}
	}
	return e.pair(fmt.Sprint("x", len(e.exchanged))), nil
}

func (e *exchanger) refresh(_ context.Context, refresh, _ token.Raw) (creds.Pair, error) {
	e.refreshed = append(e.refreshed, refresh)
	if e.end != nil {
		return creds.Pair{}, e.end
	}
	return e.pair(string(refresh) + "+"), nil
}

func (*exchanger) pair(name string) creds.Pair {
	return creds.Pair{Access: creds.Token{Value: token.Raw(name), ExpiresAt: time.Now().Add(5 * time.Minute)}, Refresh: token.Raw(name)}
}

func (e *exchanger) source(store creds.Store) creds.TokenSource {
	return creds.ExternalSession(store, e.refresh, creds.SourceFunc(e.external), e.exchange)
}

// expect asks for a token and compares it.
func expect(t *testing.T, s creds.TokenSource, want string) {
	t.Helper()
	if got, err := s.Token(t.Context()); err != nil || string(got.Value) != want {
		t.Errorf("got %q, %v; want %q", string(got.Value), err, want)
	}
}

func TestAnExternalTokenIsExchangedOnceAndTheSessionIsKeptGoing(t *testing.T) {
	e := &exchanger{held: "e1"}
	store := creds.NewMemoryStore(creds.Pair{})
	s := e.source(store)
	for _, want := range []string{"x1", "x1+", "x1++"} {
		expect(t, s, want)
	}
	if len(e.exchanged) != 1 || len(e.refreshed) != 2 || e.asked != 1 {
		t.Errorf("%d exchanges, %d refreshes, the provider was asked %d times", len(e.exchanged), len(e.refreshed), e.asked)
	}
	// The next process goes on with it, and so does the one beside it.
	expect(t, e.source(store), "x1++")
	if len(e.exchanged) != 1 {
		t.Errorf("%d exchanges", len(e.exchanged))
	}
}

func TestASessionThatTheIssuerEndedIsOpenedAnewWithTheNewestExternalToken(t *testing.T) {
	for _, reason := range []string{
		"REFRESH_UNKNOWN", "REFRESH_EXPIRED", "REFRESH_REUSED", "SESSION_REVOKED",
	} {
		synctest.Test(t, func(t *testing.T) {
			e := &exchanger{held: "e1"}
			s := e.source(creds.NewFileStore(filepath.Join(t.TempDir(), "session")))
			expect(t, s, "x1")
			e.held, e.end = "e2", answer(t, codes.Unauthenticated, creds.IssuerDomain, reason)
			expect(t, s, "x2")
			if got := fmt.Sprint(e.exchanged); got != "[e1 e2]" {
				t.Errorf("%s: exchanged %s", reason, got)
			}
			e.end = nil
			expect(t, s, "x2+")
		})
	}
}

func TestAnOutageOpensNoOtherSession(t *testing.T) {
	for name, outage := range map[string]error{
		"unavailable":    grpcstatus.Error(codes.Unavailable, ""),
		"an ingress":     grpcstatus.Error(codes.Unauthenticated, "Unauthorized"),
		"deactivated":    answer(t, codes.PermissionDenied, creds.IssuerDomain, "USER_DEACTIVATED"),
		"another domain": answer(t, codes.Unauthenticated, "authz.curfew.dev", "SESSION_REVOKED"),
	} {
		synctest.Test(t, func(t *testing.T) {
			e := &exchanger{held: "e1"}
			s := e.source(creds.NewMemoryStore(creds.Pair{}))
			expect(t, s, "x1")
			e.end = outage
			if _, err := s.Token(t.Context()); err == nil || errors.Is(err, creds.ErrSignedOut) || len(e.exchanged) != 1 {
				t.Errorf("%s: %v after %d exchanges", name, err, len(e.exchanged))
			}
		})
	}
}

func TestARefusedExternalTokenIsNotSentAgainUntilItChanges(t *testing.T) {
	for name, refusal := range map[string]error{
		"by reason":   answer(t, codes.Unauthenticated, creds.IssuerDomain, "EXTERNAL_TOKEN_INVALID"),
		"in words":    fmt.Errorf("401: %w", creds.ErrSignedOut),
		"other codes": answer(t, codes.InvalidArgument, creds.IssuerDomain, "EXTERNAL_TOKEN_INVALID"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &exchanger{held: "e1", refuse: func(external string) error {
					if external == "e1" {
						return refusal
					}
					return nil
				}}
				r := creds.NewRefreshing(e.source(creds.NewMemoryStore(creds.Pair{})))
				defer r.Close()
				for range 100 {
					_, err := r.Token(t.Context())
					if !creds.SignedOut(err) || strings.Contains(err.Error(), "e1") {
						t.Fatalf("got %v", err)
					}
					advance(100 * time.Millisecond)
				}
				if len(e.exchanged) != 1 || e.asked < 50 {
					t.Errorf("sent %d times, the file was read %d times", len(e.exchanged), e.asked)
				}
				e.held = "e2"
				if got := get(t, r); got != "x2" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

func TestAnExchangeThatCannotBeJudgedNowIsTriedAgainWithTheSameToken(t *testing.T) {
	for name, failure := range map[string]error{
		"unavailable":      grpcstatus.Error(codes.Unavailable, ""),
		"keys unavailable": answer(t, codes.Unavailable, creds.IssuerDomain, "KEYS_UNAVAILABLE"),
		"an ingress":       grpcstatus.Error(codes.Unauthenticated, "Unauthorized"),
		"another domain":   answer(t, codes.Unauthenticated, "authz.curfew.dev", "EXTERNAL_TOKEN_INVALID"),
		"nobody here":      answer(t, codes.PermissionDenied, creds.IssuerDomain, "EXTERNAL_USER_UNKNOWN"),
		"a session ended":  answer(t, codes.Unauthenticated, creds.IssuerDomain, "SESSION_REVOKED"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := failure
				e := &exchanger{held: "e1", refuse: func(string) error { return failing }}
				r := creds.NewRefreshing(e.source(creds.NewMemoryStore(creds.Pair{})))
				defer r.Close()
				for begin := time.Now(); time.Since(begin) < 10*time.Second; advance(10 * time.Millisecond) {
					if _, err := r.Token(t.Context()); err == nil || creds.SignedOut(err) {
						t.Fatalf("got %v", err)
					}
				}
				if n := len(e.exchanged); n < 5 || n > 12 {
					t.Errorf("sent %d times in 10 s", n)
				}
				failing = nil
				advance(3 * time.Second)
				if got := get(t, r); !strings.HasPrefix(got, "x") {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// A provider that signs with a key that nobody knows gives a new token each time.
func TestHoweverManyNewExternalTokensAreRefusedTheyAreSentWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exchanger{refuse: func(string) error {
			return answer(t, codes.Unauthenticated, creds.IssuerDomain, "EXTERNAL_TOKEN_INVALID")
		}}
		r := creds.NewRefreshing(e.source(creds.NewMemoryStore(creds.Pair{})))
		defer r.Close()
		calls := 0
		for begin := time.Now(); time.Since(begin) < 10*time.Second; advance(time.Millisecond) {
			calls++
			e.held = fmt.Sprint("e", calls)
			if _, err := r.Token(t.Context()); !creds.SignedOut(err) {
				t.Fatalf("got %v", err)
			}
		}
		if n := len(e.exchanged); n < 5 || n > 12 || e.asked != n || calls < 5000 {
			t.Errorf("%d calls: sent %d times, the provider was asked %d times", calls, n, e.asked)
		}
	})
}

func TestASessionThatIsEndedAsSoonAsItIsOpenedIsNotOpenedForEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exchanger{held: "e1", end: answer(t, codes.Unauthenticated, creds.IssuerDomain, "SESSION_REVOKED")}
		r := creds.NewRefreshing(e.source(creds.NewMemoryStore(creds.Pair{})))
		defer r.Close()
		for begin := time.Now(); time.Since(begin) < 5500*time.Millisecond; advance(time.Millisecond) {
			r.Reject(token.Raw(get(t, r)))
		}
		if n := len(e.exchanged); n < 4 || n > 7 {
			t.Errorf("opened %d sessions in 5.5 s", n)
		}
	})
}

func TestTheFirstOfManyProcessesOpensTheSessionOfAll(t *testing.T) {
	store := creds.NewMemoryStore(creds.Pair{})
	e := &exchanger{held: "e1"}
	s := creds.ExternalSession(store, e.refresh, creds.SourceFunc(e.external), func(ctx context.Context, _ token.Raw) (creds.Pair, error) {
		if mine, err := store.Replace(ctx, creds.Pair{}, pair(7)); !mine || err != nil {
			t.Fatal("the faster one could not store")
		}
		return pair(2), nil
	})
	expect(t, s, "a7")
	if held, err := store.Load(t.Context()); err != nil || held.Refresh != "r7" {
		t.Errorf("the loser changed the store: %v", err)
	}
}

func TestAnExchangeThatGaveNoSessionIsNotStored(t *testing.T) {
	for name, spoil := range map[string]func(*creds.Pair){
		"no access token":  func(p *creds.Pair) { p.Access.Value = "" },
		"no refresh token": func(p *creds.Pair) { p.Refresh = "" },
	} {
		store := creds.NewMemoryStore(creds.Pair{})
		e := &exchanger{held: "e1"}
		_, err := creds.ExternalSession(store, e.refresh, creds.SourceFunc(e.external), func(context.Context, token.Raw) (creds.Pair, error) {
			p := pair(2)
			spoil(&p)
			return p, nil
		}).Token(t.Context())
		if err == nil || errors.Is(err, creds.ErrSignedOut) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := store.Load(t.Context()); !errors.Is(err, creds.ErrSignedOut) {
			t.Errorf("%s: stored: %v", name, err)
		}
	}
}

func TestWithoutAnExternalTokenNothingIsSent(t *testing.T) {
	e := &exchanger{}
	path := filepath.Join(t.TempDir(), "token")
	s := creds.ExternalSession(creds.NewMemoryStore(creds.Pair{}), e.refresh, creds.File(path), e.exchange)
	if _, err := s.Token(t.Context()); err == nil || errors.Is(err, creds.ErrSignedOut) || len(e.exchanged) != 0 {
		t.Errorf("%v after %d exchanges", err, len(e.exchanged))
	}
	write(t, path, "e1\n")
	expect(t, s, "x1")
}
