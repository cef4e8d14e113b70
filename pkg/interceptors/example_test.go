package interceptors_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// A server checks its tokens, its revocations and its rules, or it does not
// start.
func Example() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
	keys, err := token.NewStatic(token.Key{ID: "2026-11", Algorithm: token.EdDSA, Public: key})
	if err != nil {
		panic(err)
	}
	verifier, err := token.NewVerifier(token.Curfew(token.CurfewIssuer, keys))
	if err != nil {
		panic(err)
	}
	defer verifier.Close()
	permissions, err := authz.ParsePermissions([]byte(shop.Permissions)) // in a service: go:embed
	if err != nil {
		panic(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(shop.File), permissions)
	if err != nil {
		panic(err)
	}
	logger := slog.New(slog.DiscardHandler)
	chain, err := interceptors.New(interceptors.Config{
		Verifier: verifier, Revocation: memory.New(), Policy: policy, Logger: logger,
		Audit: interceptors.AuditLog(logger), Introspector: askTheIssuer{},
	})
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(chain.ServerOptions()...)
	healthpb.RegisterHealthServer(server, health.NewServer())
	(&shop.Server{}).Register(server)
	if err := chain.Check(server); err != nil {
		panic(err)
	}
	fmt.Print(chain.Describe())
	// Output:
	//  1 recovery        a panic becomes INTERNAL with a fixed text
	//  2 request-id      x-request-id is taken if harmless, else made, and returned
	//  3 logging         one line per call, except health
	//  4 metrics         off
	//  5 audit           one event per call of an audited method, allowed or denied
	//  6 errors          an error that is no status of ours becomes INTERNAL, logged once with its cause
	//  7 limits          metadata 8192 B, message 4194304 B, unary deadline 30s if none and at most 2m0s, 1000 streams per connection
	//  8 address-rate    off
	//  9 authentication  access token as authorization: Bearer, except for public methods
	// 10 revocation      checked on every call; running calls and streams are cancelled, streams also when the token expires
	// 11 identity-rate   off
	// 12 authorization   the method's rule, default deny; on streams for every message that names a resource
	// 13 validation      the constraints of the request message (protovalidate)
	//    issuer          curfew issuer=https://auth.curfew.dev alg=EdDSA,ES256 typ=at+jwt aud=curfew required=sub,exp,iat,sid,jti,epoch,nbf,roles leeway=5s max-life=1h0m0s
}

// askTheIssuer stands for a call of TokenService.IntrospectToken.
type askTheIssuer struct{}

func (askTheIssuer) Introspect(context.Context, *identity.Identity, token.Raw) error { return nil }

// A handler knows its caller, and asks once more right before a side effect.
func Example_handler() {
	placeOrder := func(ctx context.Context) error {
		caller, ok := identity.FromContext(ctx)
		if !ok {
			return fmt.Errorf("no caller")
		}
		if err := revocation.CommitGuard(ctx); err != nil {
			return err // becomes TOKEN_REVOKED or REVOCATION_UNKNOWN
		}
		fmt.Println("order of", caller.Principal())
		return nil
	}
	source, caller := memory.New(), &identity.Identity{Issuer: token.CurfewIssuer, Subject: "u1"}
	ctx := identity.NewContext(context.Background(), caller)
	ctx = revocation.NewContext(ctx, &revocation.Admission{Source: source, Identity: caller})
	fmt.Println(placeOrder(ctx))
	// Output:
	// order of users/u1
	// <nil>
}
