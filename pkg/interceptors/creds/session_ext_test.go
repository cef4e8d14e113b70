package creds_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

func pair(n int) creds.Pair {
	return creds.Pair{
		Access:  creds.Token{Value: token.Raw(fmt.Sprint("a", n)), ExpiresAt: time.Now().Add(5 * time.Minute)},
		Refresh: token.Raw(fmt.Sprint("r", n)),
	}
}

// spent is a pair whose access token is over.
func spent() creds.Pair {
	p := pair(1)
	p.Access.ExpiresAt = time.Now().Add(-time.Second)
	return p
}

func TestASessionRefreshesAndStoresTheAnswer(t *testing.T) {
	store := creds.NewMemoryStore(spent())
	got, err := creds.Session(store, func(_ context.Context, sent, _ token.Raw) (creds.Pair, error) {
		if sent != "r1" {
			t.Errorf("sent the wrong token")
		}
		return pair(2), nil
	}).Token(t.Context())
	if err != nil || got.Value != "a2" {
		t.Fatalf("got %v, %v", got, err)
	}
	if held, err := store.Load(t.Context()); err != nil || held.Refresh != "r2" {
		t.Errorf("stored %v", err)
	}
}

func TestAGoodStoredTokenIsUsedBeforeAnythingIsRefreshed(t *testing.T) {
	store := creds.NewMemoryStore(pair(1))
	refreshed := 0
	source := creds.Session(store, func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
		refreshed++
		return pair(2), nil
	})
	if got, err := source.Token(t.Context()); err != nil || got.Value != "a1" || refreshed != 0 {
		t.Errorf("got %v, %v after %d refreshes", got, err, refreshed)
	}
	// Asked again, the server has refused it.
	if got, err := source.Token(t.Context()); err != nil || got.Value != "a2" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAnAnswerIsNotStoredOverTheOneOfSomebodyFaster(t *testing.T) {
	for name, given := range map[string]error{
		"an answer":  nil,
		"a refusal":  answer(t, codes.Unauthenticated, creds.IssuerDomain, "REFRESH_REUSED"),
		"signed out": creds.ErrSignedOut,
	} {
		t.Run(name, func(t *testing.T) {
			store := creds.NewMemoryStore(spent())
			got, err := creds.Session(store, func(ctx context.Context, sent, key token.Raw) (creds.Pair, error) {
				if ok, err := store.Replace(ctx, creds.Pair{Refresh: sent, RetryKey: key}, pair(7)); !ok || err != nil {
					t.Fatal("the faster one could not store")
				}
				return pair(2), given
			}).Token(t.Context())
			if err != nil || got.Value != "a7" {
				t.Errorf("got %v, %v; want the token of the faster one", got, err)
			}
			if held, err := store.Load(t.Context()); err != nil || held.Refresh != "r7" {
				t.Errorf("the loser changed the store: %v", err)
			}
		})
	}
}

func TestAnOutageIsRetriedFor20sAndClearsNothing(t *testing.T) {
	for name, outage := range map[string]error{
		"unavailable": grpcstatus.Error(codes.Unavailable, ""),
		"deadline":    grpcstatus.Error(codes.DeadlineExceeded, ""),
		"internal":    grpcstatus.Error(codes.Internal, ""),
		"network":     errors.New("connection reset"),
		// An ingress, a firewall, or a chain in front of the issuer.
		"401 of somebody else":     grpcstatus.Error(codes.Unauthenticated, "Unauthorized: HTTP status code 401"),
		"403 of somebody else":     grpcstatus.Error(codes.PermissionDenied, "Forbidden: HTTP status code 403"),
		"reason only in the text":  grpcstatus.Error(codes.Unauthenticated, "REFRESH_REUSED"),
		"reason of another domain": answer(t, codes.Unauthenticated, "authz.curfew.dev", "SESSION_REVOKED"),
		"another reason":           answer(t, codes.Unauthenticated, creds.IssuerDomain, "CREDENTIALS_INVALID"),
		"user deactivated":         answer(t, codes.PermissionDenied, creds.IssuerDomain, "USER_DEACTIVATED"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := creds.NewMemoryStore(spent())
				attempts, begin := 0, time.Now()
				_, err := creds.Session(store, func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
					attempts++
					return creds.Pair{}, outage
				}).Token(t.Context())
				if err == nil || errors.Is(err, creds.ErrSignedOut) || attempts < 8 {
					t.Errorf("got %v after %d attempts", err, attempts)
				}
				if took := time.Since(begin); took > 20*time.Second || took < 17*time.Second {
					t.Errorf("tried for %s", took)
				}
				if held, err := store.Load(t.Context()); err != nil || held.Refresh != "r1" {
					t.Errorf("the outage changed the store: %v", err)
				}
			})
		})
	}
}

func TestALostAnswerIsAskedForAgainWithTheSameToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := creds.NewMemoryStore(spent())
		var sent, keys []token.Raw
		got, err := creds.Session(store, func(ctx context.Context, refresh, key token.Raw) (creds.Pair, error) {
			keys = append(keys, key)
			if sent = append(sent, refresh); len(sent) == 1 {
				if held, err := store.Load(t.Context()); err != nil || key == "" || held.RetryKey != key {
					t.Error("sent before the retry key was stored")
				}
				<-ctx.Done() // no answer: the attempt has its own time-out
				return creds.Pair{}, ctx.Err()
			}
			return pair(2), nil
		}).Token(t.Context())
		if err != nil || got.Value != "a2" || len(sent) != 2 || sent[0] != sent[1] || keys[0] != keys[1] {
			t.Errorf("got %v, %v after %d attempts", got, err, len(sent))
		}
	})
}

func TestTheIssuersRefusalEndsTheSession(t *testing.T) {
	for _, reason := range []string{
		"REFRESH_UNKNOWN", "REFRESH_EXPIRED", "REFRESH_REUSED", "SESSION_REVOKED",
	} {
		t.Run(reason, func(t *testing.T) {
			store := creds.NewMemoryStore(spent())
			source := creds.Session(store, func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
				return creds.Pair{}, answer(t, codes.Unauthenticated, creds.IssuerDomain, reason)
			})
			for range 2 {
				if _, err := source.Token(t.Context()); !errors.Is(err, creds.ErrSignedOut) {
					t.Errorf("got %v", err)
				}
			}
			if _, err := store.Load(t.Context()); !errors.Is(err, creds.ErrSignedOut) {
				t.Errorf("the store still holds a session: %v", err)
			}
		})
	}
}

// TestATokenOfAClockThatIsAhead: verifiers call it malformed until their clock
// has caught up.
func TestATokenOfAClockThatIsAheadEndsNoSession(t *testing.T) {
	store := creds.NewMemoryStore(pair(1))
	g := &gate{judge: func(string) error {
		return refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_MALFORMED)
	}}
	client := dial(t, g, creds.Session(store, func(context.Context, token.Raw, token.Raw) (creds.Pair, error) {
		t.Error("renewed, which does not help")
		return pair(2), nil
	}))
	for _, code := range []codes.Code{codes.Unauthenticated, codes.OK} {
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); grpcstatus.Code(err) != code {
			t.Errorf("got %v, want %v", err, code)
		}
		if held, err := store.Load(t.Context()); err != nil || held.Refresh != "r1" {
			t.Errorf("the store was changed: %v", err)
		}
		g.judge = func(string) error { return nil }
	}
}

// answer is an error as a client call returns it.
func answer(t *testing.T, code codes.Code, domain, reason string) error {
	t.Helper()
	st, err := grpcstatus.New(code, "no").WithDetails(&errdetails.ErrorInfo{Domain: domain, Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}
