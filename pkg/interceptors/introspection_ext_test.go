package interceptors_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/introspection"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

func TestAQuestionToTheIssuerServesMethodsThatIntrospect(t *testing.T) {
	var active bool
	var down error
	var ask introspection.Ask = func(context.Context, token.Raw) (bool, error) { return active, down }
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) {
		c.Revocation, c.Introspector = stale{age: revocation.Unknown}, ask
	})
	call := func() error { return shop.Call(with(t, h.issuer.Service(t, "orders")), h.conn, "Peek", shop.Message{}) }
	want(t, call(), codes.Unauthenticated, "TOKEN_REVOKED")
	active = true
	if err := call(); err != nil {
		t.Error(err)
	}
	down = errors.New("connection refused")
	want(t, call(), codes.Unavailable, "REVOCATION_UNKNOWN")
}

func TestASourceThatIntrospectsIsGivenTheTokenOfTheCall(t *testing.T) {
	var good, revoked, down token.Raw
	source, err := introspection.New(func(_ context.Context, raw token.Raw) (bool, error) {
		switch raw {
		case good:
			return true, nil
		case revoked:
			return false, nil
		case down:
			return false, errors.New("connection refused")
		default:
			t.Error("asked about another token")
			return false, nil
		}
	}, slog.New(slog.DiscardHandler), introspection.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Revocation = source })
	for name, of := range map[string]*token.Raw{"u1": &good, "u2": &revoked, "u3": &down} {
		*of = token.Raw(h.issuer.User(t, name, []string{"customer"}))
	}
	call := func(raw token.Raw, name string) error {
		return shop.Call(with(t, string(raw)), h.conn, "Get", shop.Message{Name: "users/" + name})
	}
	if err := call(good, "u1"); err != nil {
		t.Error(err)
	}
	want(t, call(revoked, "u2"), codes.Unauthenticated, "TOKEN_REVOKED")
	want(t, call(down, "u3"), codes.Unavailable, "REVOCATION_UNKNOWN")
}
