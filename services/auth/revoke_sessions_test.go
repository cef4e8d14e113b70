package auth_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

func TestAUserEndsAllOtherSessionsAndGoesOn(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t), w.start(t)
	one.register(t, "anna@example.com")
	one.register(t, "bert@example.com")
	mine, second, third, stranger := one.login(t, "anna@example.com"), two.login(t, "anna@example.com"), one.login(t, "anna@example.com"), two.login(t, "bert@example.com")
	ctx := as(t.Context(), mine.GetAccessToken())
	done, err := one.account.RevokeOtherSessions(ctx, &authv1.RevokeOtherSessionsRequest{})
	if err != nil || done.GetEnded() != 2 || done.GetRevocation().GetAcked() != 2 {
		t.Fatalf("%v, %v", done, err)
	}
	for _, r := range []*replica{one, two} {
		for _, gone := range []*authv1.LoginResponse{second, third} {
			if err := r.me(t.Context(), gone.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("an ended session: %v", err)
			}
			if _, err := r.refresh(t, gone.GetRefreshToken()); status.Reason(err) != "SESSION_REVOKED" {
				t.Errorf("its refresh: %v", err)
			}
		}
		for _, good := range []*authv1.LoginResponse{mine, stranger} {
			if err := r.me(t.Context(), good.GetAccessToken()); err != nil {
				t.Errorf("a session that was not meant: %v", err)
			}
		}
	}
	// Again there is nothing to end, and what was revoked before is waited for.
	again, err := two.account.RevokeOtherSessions(ctx, &authv1.RevokeOtherSessionsRequest{})
	if err != nil || again.GetEnded() != 0 || again.GetRevocation().GetSeq() != done.GetRevocation().GetSeq() {
		t.Errorf("again: %v, %v", again, err)
	}
}

func TestAnAdministratorEndsAllSessionsOfAUserWhoMayLogInAgain(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t), w.start(t)
	root := as(t.Context(), w.administrator(t, one).GetAccessToken())
	name := one.register(t, "anna@example.com")
	first, second := one.login(t, "anna@example.com"), two.login(t, "anna@example.com")
	request := &authv1.RevokeUserSessionsRequest{Name: name}
	if _, err := one.admin.RevokeUserSessions(as(t.Context(), first.GetAccessToken()), request); status.Reason(err) != "PERMISSION_DENIED" {
		t.Errorf("by a customer: %v", err)
	}
	done, err := two.admin.RevokeUserSessions(root, request)
	if err != nil || done.GetEnded() != 2 || done.GetRevocation().GetAcked() != 2 {
		t.Fatalf("%v, %v", done, err)
	}
	for _, r := range []*replica{one, two} {
		for _, gone := range []*authv1.LoginResponse{first, second} {
			if err := r.me(t.Context(), gone.GetAccessToken()); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("an ended session: %v", err)
			}
			if _, err := r.refresh(t, gone.GetRefreshToken()); status.Reason(err) != "SESSION_REVOKED" {
				t.Errorf("its refresh: %v", err)
			}
		}
	}
	if err := two.me(t.Context(), one.login(t, "anna@example.com").GetAccessToken()); err != nil {
		t.Errorf("a new login: %v", err)
	}
	request.Name = "users/00000000-0000-7000-8000-000000000000"
	if _, err := one.admin.RevokeUserSessions(root, request); status.Code(err) != codes.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}
