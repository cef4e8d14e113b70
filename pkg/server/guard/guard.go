// Package guard puts a service behind services/auth: it verifies access tokens
// with the issuer's keys, follows the feed of revocations, and proves the
// service itself with a key file or a token of its platform. Its result is the chain that every call of
// the service passes.
package guard

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/none"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// Guard is the tie of one process to services/auth.
type Guard struct {
	// Chain is for the server of the service.
	Chain *interceptors.Chain
	// Conn is a connection to services/auth with the token of this service.
	Conn *grpc.ClientConn
}

// Add connects to services/auth and adds what follows it to the group of the
// runtime. It does not wait for services/auth: the service starts without it
// and is not ready.
func Add(rt *server.Runtime, settings *Settings, common *server.Settings, policy *authz.Policy) (*Guard, error) {
	if err := settings.Validate(); err != nil {
		return nil, &lifecycle.UsageError{Err: err}
	}
	conn, feeds, err := dial(rt, settings)
	if err != nil {
		return nil, err
	}
	keys, err := token.NewRemote(fetchKeys(authv1.NewTokenServiceClient(conn)), rt.Log, token.RemoteOptions{})
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	if err := rt.Group.Add(lifecycle.Part{
		Name: "auth keys", Phase: lifecycle.Leave,
		Stop: func(context.Context) error { keys.Close(); return nil },
	}); err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(token.Curfew(settings.Issuer, keys))
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	source, err := addSource(rt, settings, conn, feeds)
	if err != nil {
		return nil, err
	}
	chain, err := newChain(rt, common, rt.Log, verifier, source, policy, conn)
	if err != nil {
		return nil, err
	}
	return &Guard{Chain: chain, Conn: conn}, nil
}

func newChain(rt *server.Runtime, common *server.Settings, log *slog.Logger, verifier interceptors.Verifier, source revocation.Source,
	policy *authz.Policy, conn grpc.ClientConnInterface,
) (*interceptors.Chain, error) {
	chain, err := server.NewChain(rt, common, interceptors.Config{
		Verifier:     verifier,
		Revocation:   source,
		Policy:       policy,
		Logger:       log,
		Introspector: ask(conn),
	})
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return chain, nil
}

// Describe writes the chain that Add would build and the authorization matrix,
// for --check. It connects to nothing.
func Describe(w io.Writer, settings *Settings, common *server.Settings, policy *authz.Policy) error {
	verifier, err := token.NewVerifier(token.Curfew(settings.Issuer, &token.Static{}))
	if err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	log := slog.New(slog.DiscardHandler)
	var source revocation.Source
	switch settings.Revocation {
	case None:
		source = none.Source{}
	case Introspection:
		asking, err := newIntrospection(settings, log, nil)
		if err != nil {
			return err
		}
		defer asking.Close()
		source = asking
	default:
		source = memory.New() // like the feed it knows the running calls
	}
	chain, err := newChain(nil, common, log, verifier, source, policy, nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nchain (revocations: %s):\n%s\nauthorization:\n%s", settings.Revocation, chain.Describe(), policy.Matrix())
	return err
}

func issue(client authv1.AuthServiceClient) creds.IssueFunc {
	return func(ctx context.Context, assertion token.Raw) (creds.Token, error) {
		r, err := client.IssueServiceToken(ctx, &authv1.IssueServiceTokenRequest{Assertion: string(assertion)})
		if err != nil {
			return creds.Token{}, err
		}
		return creds.Token{Value: token.Raw(r.GetAccessToken()), ExpiresAt: r.GetAccessExpiresAt().AsTime()}, nil
	}
}

// fetchKeys reads the key set: the fields of the message are those of RFC 7517.
func fetchKeys(client authv1.TokenServiceClient) token.Fetch {
	return func(ctx context.Context) ([]byte, error) {
		set, err := client.GetJwks(ctx, &authv1.GetJwksRequest{})
		if err != nil {
			return nil, fmt.Errorf("get signing keys: %w", err)
		}
		return protojson.Marshal(set)
	}
}
