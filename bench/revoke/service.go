package revoke

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher/watchergrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

const (
	issuer  = "https://auth.curfew.dev"
	keyFile = "CURFEW_ORDERS_SERVICE_KEY_FILE"

	liveGoal = 20 * time.Millisecond
)

// service revokes sessions at the real service while watchers of this process
// follow its feed, each over a connection of its own.
func service(ctx context.Context, s *stand.Stand) (_ []ratio.Budget, err error) {
	auth, err := s.DialAuth()
	if err != nil {
		return nil, err
	}
	defer auth.Close()
	bare, err := stand.Dial(s.Auth)
	if err != nil {
		return nil, err
	}
	defer bare.Close()
	refreshing := creds.NewRefreshing(creds.ServiceAssertion(creds.Assertion{
		Service: "orders", Audience: issuer, KeyFile: os.Getenv(keyFile),
	}, issue(authv1.NewAuthServiceClient(bare))), creds.WithPlaintext())
	defer refreshing.Close()
	leave, err := watch(ctx, s.Auth, refreshing)
	if err != nil {
		return nil, errors.Join(err, leave())
	}
	waits, err := revokeSessions(ctx, auth)
	return []ratio.Budget{{
		Name: fmt.Sprintf("wait of a revoking call, %d more watchers of the real service, all live", watchers), Goal: liveGoal, Samples: waits,
	}}, errors.Join(err, leave())
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

// watch runs the watchers until leave.
func watch(ctx context.Context, addr string, refreshing *creds.Refreshing) (leave func() error, err error) {
	var list []*watcher.Watcher
	var conns []*grpc.ClientConn
	var running sync.WaitGroup
	leave = func() error {
		var errs []error
		for _, w := range list {
			errs = append(errs, w.Leave(ctx))
		}
		running.Wait()
		for _, c := range conns {
			errs = append(errs, c.Close())
		}
		return errors.Join(errs...)
	}
	for n := range watchers {
		conn, err := creds.Dial(creds.Target{Address: addr, Plaintext: true}, refreshing)
		if err != nil {
			return leave, err
		}
		conns = append(conns, conn)
		dial, err := watchergrpc.Dial(conn)
		if err != nil {
			return leave, err
		}
		w, err := watcher.New(watcher.Config{Dial: dial, Replica: fmt.Sprintf("bench-%d", n)})
		if err != nil {
			return leave, err
		}
		list = append(list, w)
		running.Go(func() { _ = w.Run(ctx) }) // only fails if it is run twice
	}
	for _, w := range list {
		select {
		case <-w.Ready():
		case <-ctx.Done():
			return leave, fmt.Errorf("a watcher holds no lease: %w", context.Cause(ctx))
		}
	}
	return leave, nil
}

// revokeSessions returns the waits of the receipts.
func revokeSessions(ctx context.Context, auth *stand.Auth) ([]time.Duration, error) {
	u, err := auth.Register(ctx)
	if err != nil {
		return nil, err
	}
	var waits []time.Duration
	for range revocations {
		session, err := auth.Login(ctx, u)
		if err != nil {
			return nil, err
		}
		r, err := auth.Auth.Logout(stand.Bearer(ctx, session.GetAccessToken()), &authv1.LogoutRequest{})
		if err != nil {
			return nil, fmt.Errorf("logout: %w", err)
		}
		if r.GetRevocation().GetAcked() < watchers || r.GetRevocation().GetExpired() > 0 {
			return nil, fmt.Errorf("not everybody was live: %v", r.GetRevocation())
		}
		waits = append(waits, r.GetRevocation().GetWaited().AsDuration())
	}
	return waits, nil
}
