package guard

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/introspection"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/server"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// issuer is services/auth as far as it introspects.
type issuer struct {
	grpc.ClientConnInterface

	active bool
	err    error
	asked  []string
}

// Invoke implements grpc.ClientConnInterface.
func (i *issuer) Invoke(_ context.Context, _ string, request, reply any, _ ...grpc.CallOption) error {
	i.asked = append(i.asked, request.(*authv1.IntrospectTokenRequest).GetToken()) //nolint:forcetypeassert // Nothing else is asked.
	reply.(*authv1.IntrospectTokenResponse).Active = i.active                      //nolint:forcetypeassert // Likewise.
	return i.err
}

func TestIntrospectionAsksTheIssuerAboutTheTokenOfTheCall(t *testing.T) {
	away := errors.New("away")
	for name, c := range map[string]struct {
		issuer   issuer
		want     revocation.Verdict
		fallback error // of a method that introspects
	}{
		"active":   {issuer{active: true}, revocation.Verdict{Fresh: true}, nil},
		"inactive": {issuer{}, revocation.Verdict{Fresh: true, Revoked: true}, revocation.ErrRevoked},
		"away":     {issuer{err: away}, revocation.Verdict{StaleFor: revocation.Unknown}, away},
	} {
		t.Run(name, func(t *testing.T) {
			source, err := newIntrospection(&Settings{}, slog.New(slog.DiscardHandler), &c.issuer)
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			id := &identity.Identity{ExpiresAt: time.Now().Add(time.Minute)}
			if got := source.CheckContext(introspection.WithToken(t.Context(), "a.b.c"), id); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if err := ask(&c.issuer).Introspect(t.Context(), id, "a.b.c"); !errors.Is(err, c.fallback) {
				t.Errorf("a method that introspects: %v", err)
			}
			if strings.Join(c.issuer.asked, ",") != "a.b.c,a.b.c" {
				t.Errorf("asked about %q", c.issuer.asked)
			}
		})
	}
}

func TestAnAnswerOfTheIssuerAdmitsCallsForAsLongAsTheSettingsSay(t *testing.T) {
	for name, c := range map[string]struct {
		maxAge time.Duration
		asked  int
	}{"not at all": {0, 3}, "for an hour": {time.Hour, 1}} {
		t.Run(name, func(t *testing.T) {
			i := &issuer{active: true}
			source, err := newIntrospection(&Settings{IntrospectionMaxAge: c.maxAge}, slog.New(slog.DiscardHandler), i)
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			for range 3 {
				source.CheckContext(introspection.WithToken(t.Context(), "a.b.c"), &identity.Identity{ExpiresAt: time.Now().Add(time.Minute)})
			}
			if len(i.asked) != c.asked {
				t.Errorf("asked %d times, want %d", len(i.asked), c.asked)
			}
		})
	}
}

func TestTheAgeOfAnAnswerBelongsToIntrospection(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		maxAge time.Duration
		good   bool
	}{
		"introspection":              {Introspection, 0, true},
		"introspection with a cache": {Introspection, time.Second, true},
		"a negative age":             {Introspection, -time.Second, false},
		"the feed":                   {Feed, time.Second, false},
	} {
		s := Settings{
			AuthAddr: "localhost:1", Issuer: token.CurfewIssuer, ServiceKeyFile: keyFile(t),
			Revocation: c.source, IntrospectionMaxAge: c.maxAge,
		}
		if err := s.Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheDescriptionOfTheChainSaysWhereRevocationsComeFrom(t *testing.T) {
	permissions, err := authz.ParsePermissions([]byte(`{"roles":{"operator":["revocation.replicas.list"],"service":["revocation.feed.watch","revocation.receipts.await"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(revocationv1.File_curfew_revocation_v1_revocation_service_proto), permissions)
	if err != nil {
		t.Fatal(err)
	}
	for source, says := range map[string]string{
		Feed: "running calls and streams are cancelled", Introspection: "asks a store each time", None: "running calls are not cancelled",
	} {
		var out strings.Builder
		if err := Describe(&out, &Settings{Issuer: token.CurfewIssuer, Revocation: source}, &server.Settings{}, policy); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.Contains(got, "revocations: "+source) || !strings.Contains(got, says) {
			t.Errorf("%s: %s", source, got)
		}
	}
}
