// Package token keeps the access token of a seeded user fresh in a file, so
// that scripts can read a valid one at any time.
package token

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// look is how often the token in the file is tried: a user of the environment
// may have revoked it.
const look = 5 * time.Second

// patience bounds each call.
const patience = 10 * time.Second

// Keeper keeps one user's token. Only Keep's goroutine uses it after Login.
type Keeper struct {
	email, password string
	write           func(token string) error
	auth            authv1.AuthServiceClient
	accounts        authv1.AccountServiceClient
	log             *slog.Logger

	access, refresh string
	renew           time.Time
}

// NewKeeper returns a keeper of the user's token on a connection to auth. Write
// stores a new access token.
func NewKeeper(conn grpc.ClientConnInterface, email, password string, write func(token string) error, log *slog.Logger) *Keeper {
	return &Keeper{
		email: email, password: password, write: write, log: log,
		auth: authv1.NewAuthServiceClient(conn), accounts: authv1.NewAccountServiceClient(conn),
	}
}

// Login opens a session and stores its token.
func (k *Keeper) Login(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := k.auth.Login(ctx, &authv1.LoginRequest{Email: k.email, Password: k.password}, grpc.WaitForReady(true))
	if err != nil {
		return fmt.Errorf("log in as %s: %w", k.email, err)
	}
	return k.store(resp.GetAccessToken(), resp.GetRefreshToken(), resp.GetAccessExpiresAt())
}

// Await waits until the token is admitted: a service that has just started may
// not know the latest revocations yet.
func (k *Keeper) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := k.try(ctx)
		if status.Code(err) != codes.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Keep renews the token before it expires and replaces one that was revoked,
// until ctx ends.
func (k *Keeper) Keep(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := k.freshen(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			k.log.Warn("token file is not fresh", "user", k.email, "error", err)
		}
		failing = err != nil
	}
}

func (k *Keeper) freshen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if time.Now().Before(k.renew) {
		err := k.try(ctx)
		if status.Code(err) != codes.Unauthenticated {
			return err
		}
	}
	resp, err := k.auth.RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: k.refresh})
	switch status.Code(err) {
	case codes.OK:
		return k.store(resp.GetAccessToken(), resp.GetRefreshToken(), resp.GetAccessExpiresAt())
	case codes.Unauthenticated, codes.PermissionDenied, codes.FailedPrecondition:
		return k.Login(ctx) // The session is over.
	default:
		return fmt.Errorf("refresh the token of %s: %w", k.email, err)
	}
}

func (k *Keeper) try(ctx context.Context) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+k.access)
	_, err := k.accounts.GetMe(ctx, &authv1.GetMeRequest{})
	return err
}

func (k *Keeper) store(access, refresh string, expires *timestamppb.Timestamp) error {
	k.access, k.refresh = access, refresh
	// Half of the life that is left: a script may use what it read for a while.
	k.renew = time.Now().Add(time.Until(expires.AsTime()) / 2)
	return k.write(access)
}
