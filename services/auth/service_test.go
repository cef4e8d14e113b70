package auth_test

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

func TestAPasswordChangeRevokesEveryOlderTokenBeforeItReturns(t *testing.T) {
	r := newWorld(t).start(t)
	name := r.register(t, "anna@example.com")
	other, mine := r.login(t, "Anna@Example.com"), r.login(t, "anna@example.com")
	me, err := r.account.GetMe(as(t.Context(), mine.GetAccessToken()), &authv1.GetMeRequest{})
	if err != nil || me.GetName() != name {
		t.Fatalf("GetMe = %v, %v", me, err)
	}
	changed, err := r.account.ChangePassword(as(t.Context(), mine.GetAccessToken()), &authv1.ChangePasswordRequest{
		CurrentPassword: password, NewPassword: "quite another passphrase",
	})
	if err != nil {
		t.Fatal(err)
	}
	if changed.GetRevocation().GetSeq() == 0 || changed.GetRevocation().GetAcked() < 1 {
		t.Errorf("receipt = %v", changed.GetRevocation())
	}
	for whose, token := range map[string]string{"the caller's": mine.GetAccessToken(), "another session's": other.GetAccessToken()} {
		if err := r.me(t.Context(), token); status.Reason(err) != "TOKEN_REVOKED" {
			t.Errorf("%s old token: %v", whose, err)
		}
	}
	if err := r.me(t.Context(), changed.GetAccessToken()); err != nil {
		t.Errorf("the new token: %v", err)
	}
	_, err = r.auth.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: other.GetRefreshToken()})
	if status.Reason(err) != "SESSION_REVOKED" {
		t.Errorf("another session's refresh token: %v", err)
	}
	if _, err = r.auth.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: changed.GetRefreshToken()}); err != nil {
		t.Errorf("the new refresh token: %v", err)
	}
}
