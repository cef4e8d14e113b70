package quickstart

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher/watchergrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// Connect returns a connection to services/auth that carries the token of this
// service. It gets one with its key file and renews it early, once for all calls.
func Connect(auth creds.Target, service, keyFile string) (conn *grpc.ClientConn, hangUp func(), err error) {
	bare, err := creds.Dial(auth, nil)
	if err != nil {
		return nil, nil, err
	}
	issuer := authv1.NewAuthServiceClient(bare)
	credentials := creds.NewRefreshing(creds.ServiceAssertion(
		creds.Assertion{Service: service, Audience: token.CurfewIssuer, KeyFile: keyFile},
		func(ctx context.Context, assertion token.Raw) (creds.Token, error) {
			t, err := issuer.IssueServiceToken(ctx, &authv1.IssueServiceTokenRequest{Assertion: string(assertion)})
			return creds.Token{Value: token.Raw(t.GetAccessToken()), ExpiresAt: t.GetAccessExpiresAt().AsTime()}, err
		}), plaintext(auth)...)
	if conn, err = creds.Dial(auth, credentials); err != nil {
		return nil, nil, err
	}
	return conn, func() { _ = conn.Close(); credentials.Close(); _ = bare.Close() }, nil
}

// plaintext lets tokens travel without TLS where the target does, on loopback.
func plaintext(target creds.Target) []creds.Option {
	if target.TLS != nil || target.Files != nil {
		return nil
	}
	return []creds.Option{creds.WithPlaintext()}
}

// Revocations follows the leased feed: call Run on a goroutine, wait for Ready
// before you serve, and call Leave when you have stopped serving.
func Revocations(conn *grpc.ClientConn, replica string, log *slog.Logger) (*watcher.Watcher, error) {
	dial, err := watchergrpc.Dial(conn)
	if err != nil {
		return nil, err
	}
	return watcher.New(watcher.Config{Dial: dial, Replica: replica, Logger: log})
}
