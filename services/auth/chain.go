package auth

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"log/slog"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	revocations "github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	revocationfeed "github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/server"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/introspect"
)

//go:embed permissions.json
var permissionsFile []byte

func newPolicy() (*authz.Policy, error) {
	permissions, err := authz.ParsePermissions(permissionsFile)
	if err != nil {
		return nil, err
	}
	return authz.NewPolicy(authz.FileServices(
		authv1.File_curfew_auth_v1_auth_service_proto,
		authv1.File_curfew_auth_v1_account_service_proto,
		authv1.File_curfew_auth_v1_user_admin_service_proto,
		authv1.File_curfew_auth_v1_token_service_proto,
		revocationv1.File_curfew_revocation_v1_revocation_service_proto,
	), permissions)
}

func newChain(rt *server.Runtime, log *slog.Logger, cfg *Config, v interceptors.Verifier, source revocations.Source, i *introspect.Introspector) (*interceptors.Chain, error) {
	policy, err := newPolicy()
	if err != nil {
		return nil, err
	}
	return server.NewChain(rt, &cfg.Settings, interceptors.Config{
		Verifier:     v,
		Revocation:   source,
		Policy:       policy,
		Logger:       log,
		Introspector: primary{i},
	})
}

// primary answers the chain from the database: the watchers of the feed come
// here before anybody has a lease.
type primary struct{ introspector *introspect.Introspector }

// Introspect implements interceptors.Introspector.
func (p primary) Introspect(ctx context.Context, id *identity.Identity, _ token.Raw) error {
	live, err := p.introspector.Identity(ctx, id)
	if err != nil {
		return err
	}
	if !live {
		return revocations.ErrRevoked
	}
	return nil
}

// describe writes the chain, the authorization matrix and the external issuers,
// for --check.
func (c *Config) describe(w io.Writer) error {
	// Neither keys nor database are needed to say what would be enforced.
	verifier, err := token.NewVerifier(token.Curfew(c.Issuer, &token.Static{}))
	if err != nil {
		return err
	}
	feed, err := newRevocation(slog.New(slog.DiscardHandler), connections{}, revocationfeed.Config{}, nil)
	if err != nil {
		return err
	}
	chain, err := newChain(nil, slog.New(slog.DiscardHandler), c, verifier, feed.watcher, introspect.New(verifier, nil))
	if err != nil {
		return err
	}
	policy, err := newPolicy()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nchain:\n%s\nauthorization:\n%s", chain.Describe(), policy.Matrix()); err != nil {
		return err
	}
	return c.describeExternals(w)
}
