package auth_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

// A login with the old password that overlaps ChangePassword gets nothing that
// is good after both have returned, whichever of them the database took first.
func TestALoginThatOverlapsChangePasswordLeavesNothingOfTheOldPassword(t *testing.T) {
	// No eviction may do what the change has to do.
	r := newWorld(t).start(t, func(c *auth.Config) { c.MaxSessions = 1000 })
	r.register(t, "anna@example.com")
	now := password
	token := r.login(t, "anna@example.com").GetAccessToken()
	for round := range 12 {
		old, next := now, fmt.Sprintf("passphrase number %d", round)
		var changed *authv1.ChangePasswordResponse
		var logins [3]*authv1.LoginResponse
		var wg sync.WaitGroup
		wg.Go(func() {
			var err error
			changed, err = r.account.ChangePassword(as(t.Context(), token), &authv1.ChangePasswordRequest{CurrentPassword: old, NewPassword: next})
			if err != nil {
				t.Error(err)
			}
		})
		for i := range logins {
			wg.Go(func() {
				in, err := r.auth.Login(t.Context(), &authv1.LoginRequest{Email: "anna@example.com", Password: old})
				if err != nil && status.Reason(err) != "CREDENTIALS_INVALID" {
					t.Error(err)
				}
				logins[i] = in
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		for _, in := range logins {
			if in == nil {
				continue
			}
			if err := r.me(t.Context(), in.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("round %d: an access token of the old password: %v", round, err)
			}
			if _, err := r.refresh(t, in.GetRefreshToken()); status.Reason(err) != "SESSION_REVOKED" {
				t.Errorf("round %d: a refresh token of the old password: %v", round, err)
			}
		}
		// A login that succeeds forgets the failures above, which would slow us down.
		now, token = next, changed.GetAccessToken()
		if _, err := r.auth.Login(t.Context(), &authv1.LoginRequest{Email: "anna@example.com", Password: now}); err != nil {
			t.Fatal(err)
		}
	}
}
