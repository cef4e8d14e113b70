package introspection_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/introspection"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/revocationtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

var discard = slog.New(slog.DiscardHandler)

// issuer knows what is revoked. Its tokens are the identities themselves.
type issuer struct {
	rules *memory.Source
	asked atomic.Int32
	down  atomic.Bool
}

func newIssuer() *issuer { return &issuer{rules: memory.New()} }

func (i *issuer) ask(_ context.Context, raw token.Raw) (bool, error) {
	i.asked.Add(1)
	if i.down.Load() {
		return false, errors.New("connection refused")
	}
	var id identity.Identity
	if err := json.Unmarshal([]byte(string(raw)), &id); err != nil {
		return false, err
	}
	return !i.rules.Check(&id).Revoked, nil
}

func tokenOf(id *identity.Identity) token.Raw {
	text, err := json.Marshal(id)
	if err != nil {
		panic(err) // of plain fields
	}
	return token.Raw(text)
}

func carry(ctx context.Context, id *identity.Identity) context.Context {
	return introspection.WithToken(ctx, tokenOf(id))
}

func open(t *testing.T, i *issuer, o introspection.Options) *introspection.Source {
	t.Helper()
	if o.Clock == nil {
		o.Clock = leaseclocktest.New(0)
	}
	s, err := introspection.New(i.ask, discard, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestIntrospectionIsASource(t *testing.T) {
	revocationtest.RunSource(t, func(t *testing.T) revocationtest.Backend {
		i := newIssuer()
		return revocationtest.Backend{Source: open(t, i, introspection.Options{}), Carry: carry, Revoke: func(rules ...revocation.Rule) error {
			_, err := i.rules.Revoke(rules...)
			return err
		}}
	})
}

// With a cache it promises to refuse when the answers have become too old.
func TestIntrospectionWithACacheIsASource(t *testing.T) {
	const maxAge = 2 * time.Millisecond // of virtual time, in which the suite asks each microsecond
	revocationtest.RunSourceInBubble(t, func(t *testing.T) revocationtest.Backend {
		i := newIssuer()
		s := open(t, i, introspection.Options{MaxAge: maxAge})
		return revocationtest.Backend{Source: s, Carry: carry, Revoke: func(rules ...revocation.Rule) error {
			_, err := i.rules.Revoke(rules...)
			time.Sleep(maxAge)
			return err
		}}
	})
}

func caller() *identity.Identity {
	return &identity.Identity{Issuer: "https://auth.curfew.dev", Subject: "sub", SessionID: "sid", ExpiresAt: time.Now().Add(5 * time.Minute)}
}

func session(id string) revocation.Rule {
	return revocation.Rule{Kind: revocation.KindSession, Issuer: "https://auth.curfew.dev", ID: id, KeepUntil: time.Now().Add(time.Hour)}
}

func TestEveryCallIsAQuestionWithoutACacheAndOnePerAgeWithOne(t *testing.T) {
	for name, c := range map[string]struct {
		maxAge time.Duration
		asked  int32
	}{"none": {0, 30}, "a second": {time.Second, 3}} {
		t.Run(name, func(t *testing.T) {
			i, clock := newIssuer(), leaseclocktest.New(0)
			s := open(t, i, introspection.Options{MaxAge: c.maxAge, Clock: clock})
			id := caller()
			for round := range 3 {
				clock.SetWall(time.Second)
				for range 10 {
					if v := s.CheckContext(carry(t.Context(), id), id); v.Revoked || !v.Fresh {
						t.Errorf("round %d: %+v", round, v)
					}
				}
			}
			if n := i.asked.Load(); n != c.asked {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestWithoutATokenNothingIsKnown(t *testing.T) {
	i := newIssuer()
	s := open(t, i, introspection.Options{})
	unknown := revocation.Verdict{StaleFor: revocation.Unknown}
	if v := s.CheckContext(t.Context(), caller()); v != unknown {
		t.Errorf("%+v", v)
	}
	if v := s.Check(caller()); v != unknown {
		t.Errorf("%+v", v)
	}
	if n := i.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

func TestAnIssuerThatIsAwayLeavesWhatWasKnownAndHowOldItIs(t *testing.T) {
	i, clock := newIssuer(), leaseclocktest.New(0)
	s := open(t, i, introspection.Options{MaxAge: time.Second, Clock: clock})
	known, revoked, strange := caller(), caller(), caller()
	revoked.SessionID, strange.SessionID = "revoked", "strange"
	if _, err := i.rules.Revoke(session("revoked")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []*identity.Identity{known, revoked} {
		s.CheckContext(carry(t.Context(), id), id)
	}
	i.down.Store(true)
	clock.SetWall(10 * time.Second)
	if v := s.CheckContext(carry(t.Context(), known), known); v.Fresh || v.Revoked || v.StaleFor < 10*time.Second || v.StaleFor > 11*time.Second {
		t.Errorf("a token that was active: %+v", v)
	}
	if v := s.CheckContext(carry(t.Context(), revoked), revoked); !v.Revoked {
		t.Errorf("a token that was inactive: %+v", v)
	}
	if v := s.CheckContext(carry(t.Context(), strange), strange); v != (revocation.Verdict{StaleFor: revocation.Unknown}) {
		t.Errorf("a token that was never asked about: %+v", v)
	}
}

// The answer to an older question may come after that to a newer one.
func TestALateAnswerDoesNotBringARevokedTokenBack(t *testing.T) {
	id := caller()
	released, entered := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	s, err := introspection.New(func(context.Context, token.Raw) (bool, error) {
		if calls.Add(1) == 1 {
			close(entered)
			<-released
			return true, nil
		}
		return false, nil
	}, discard, introspection.Options{MaxAge: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.CheckContext(carry(t.Context(), id), id)
	}()
	<-entered
	if v := s.CheckContext(carry(t.Context(), id), id); !v.Revoked {
		t.Fatalf("%+v", v)
	}
	close(released)
	<-done
	if v := s.CheckContext(carry(t.Context(), id), id); !v.Revoked {
		t.Errorf("back: %+v", v)
	}
}

func TestAQuestionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := introspection.New(func(ctx context.Context, _ token.Raw) (bool, error) {
			<-ctx.Done()
			return false, context.Cause(ctx)
		}, discard, introspection.Options{Clock: leaseclocktest.New(0)})
		if err != nil {
			t.Fatal(err)
		}
		begun, id := time.Now(), caller()
		if v := s.CheckContext(carry(t.Context(), id), id); v.Fresh || v.StaleFor != revocation.Unknown {
			t.Errorf("%+v", v)
		}
		if waited := time.Since(begun); waited != introspection.DefaultTimeout {
			t.Errorf("waited %v", waited)
		}
	})
}
