// Package stolentoken is the first story: a thief holds a valid access token
// when its owner, or an administrator, ends it.
package stolentoken

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// Tally is what happened to the thief.
type Tally struct {
	Rounds   int
	Calls    int64 // calls with a token whose revocation had returned
	Admitted int64 // of these, how many were let in
}

// kinds are the ways in which a token ends.
var kinds = []struct {
	name string
	end  func(*round, context.Context) error
}{
	{"ChangePassword", (*round).changePassword},
	{"DeactivateUser", (*round).deactivate},
	{"RevokeSession", (*round).revokeSession},
	{"Logout", (*round).logout},
}

// Rounds steals and ends n tokens, the four ways in turn, and calls every
// target with each token right after the ending call has returned.
func Rounds(ctx context.Context, s *stand.Stand, targets []string, n int) (Tally, error) {
	auth, err := s.DialAuth()
	if err != nil {
		return Tally{}, err
	}
	defer auth.Close()
	admin, err := auth.Login(ctx, stand.User{Email: s.AdminEmail, Password: s.AdminPassword})
	if err != nil {
		return Tally{}, fmt.Errorf("administrator: %w", err)
	}
	replicas := make([]ordersv1.OrderQueryServiceClient, len(targets))
	for i, target := range targets {
		conn, err := stand.Dial(target)
		if err != nil {
			return Tally{}, err
		}
		defer conn.Close()
		replicas[i] = ordersv1.NewOrderQueryServiceClient(conn)
	}
	var calls, admitted atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range n {
		g.Go(func() error {
			kind := kinds[i%len(kinds)]
			r := &round{auth: auth, admin: admin.GetAccessToken(), replicas: replicas}
			if err := r.steal(ctx); err != nil {
				return err
			}
			if err := kind.end(r, ctx); err != nil {
				return fmt.Errorf("%s: %w", kind.name, err)
			}
			for _, replica := range replicas {
				in, err := isAdmitted(ctx, replica, r.user.Name, r.stolen.GetAccessToken())
				if err != nil {
					return fmt.Errorf("after %s: %w", kind.name, err)
				}
				calls.Add(1)
				if in {
					admitted.Add(1)
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return Tally{Rounds: n, Calls: calls.Load(), Admitted: admitted.Load()}, err
}

// round is one user, one thief.
type round struct {
	auth     *stand.Auth
	admin    string
	replicas []ordersv1.OrderQueryServiceClient

	user   stand.User
	stolen *authv1.LoginResponse // the thief has these
	owner  *authv1.LoginResponse // another session of the same user
}

func (r *round) steal(ctx context.Context) (err error) {
	if r.user, err = r.auth.Register(ctx); err != nil {
		return err
	}
	if r.stolen, err = r.auth.Login(ctx, r.user); err != nil {
		return err
	}
	if r.owner, err = r.auth.Login(ctx, r.user); err != nil {
		return err
	}
	for _, replica := range r.replicas {
		in, err := isAdmitted(ctx, replica, r.user.Name, r.stolen.GetAccessToken())
		if err != nil {
			return fmt.Errorf("before the token was ended: %w", err)
		}
		if !in {
			return fmt.Errorf("a good token of %s was refused", r.user.Name)
		}
	}
	return nil
}

func (r *round) changePassword(ctx context.Context) error {
	changed, err := r.auth.Account.ChangePassword(stand.Bearer(ctx, r.owner.GetAccessToken()), &authv1.ChangePasswordRequest{
		CurrentPassword: r.user.Password, NewPassword: r.user.Password + " changed",
	})
	if err != nil {
		return err
	}
	// The owner goes on with the new tokens.
	for _, replica := range r.replicas {
		in, err := isAdmitted(ctx, replica, r.user.Name, changed.GetAccessToken())
		if err != nil {
			return err
		}
		if !in {
			return fmt.Errorf("the owner's new token was refused")
		}
	}
	return nil
}

func (r *round) deactivate(ctx context.Context) error {
	_, err := r.auth.Users.DeactivateUser(stand.Bearer(ctx, r.admin), &authv1.DeactivateUserRequest{Name: r.user.Name})
	return err
}

func (r *round) revokeSession(ctx context.Context) error {
	_, err := r.auth.Account.RevokeSession(stand.Bearer(ctx, r.owner.GetAccessToken()),
		&authv1.RevokeSessionRequest{Name: r.stolen.GetSession()})
	return err
}

func (r *round) logout(ctx context.Context) error {
	_, err := r.auth.Auth.Logout(stand.Bearer(ctx, r.stolen.GetAccessToken()), &authv1.LogoutRequest{})
	return err
}

// isAdmitted is the oracle: it asks for the orders of the user. An answer that
// is neither OK nor a refusal of the token is an error.
func isAdmitted(ctx context.Context, replica ordersv1.OrderQueryServiceClient, user, token string) (bool, error) {
	_, err := replica.ListOrders(stand.Bearer(ctx, token), &ordersv1.ListOrdersRequest{Parent: user})
	switch {
	case err == nil:
		return true, nil
	case status.Code(err) == codes.Unauthenticated && stand.Reason(err) == "TOKEN_REVOKED":
		return false, nil
	default:
		return false, fmt.Errorf("list orders: %w", err)
	}
}

// refusedOrUnknown is the oracle for a replica that has just woken up: until
// it has caught up it refuses every token as UNAVAILABLE, then the revoked one
// as revoked. Both are refusals; it reports an admission.
func refusedOrUnknown(ctx context.Context, r *round) (admitted bool, err error) {
	for {
		_, err := r.replicas[0].ListOrders(stand.Bearer(ctx, r.stolen.GetAccessToken()), &ordersv1.ListOrdersRequest{Parent: r.user.Name})
		switch {
		case err == nil:
			return true, nil
		case status.Code(err) == codes.Unauthenticated && stand.Reason(err) == "TOKEN_REVOKED":
			return false, nil
		case status.Code(err) == codes.Unavailable && ctx.Err() == nil:
			// Not caught up yet, or reconnecting: ask again until it knows.
		default:
			return false, fmt.Errorf("list orders: %w", err)
		}
	}
}
