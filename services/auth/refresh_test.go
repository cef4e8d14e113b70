package auth_test

import (
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// window of the configuration of these tests; time passes by age only.
const window = 30 * time.Second

// age lets time pass for every session.
func (w *world) age(t *testing.T, by time.Duration) {
	t.Helper()
	w.exec(t, `UPDATE sessions SET rotated_at = rotated_at - $1::interval, handed_at = handed_at - $1::interval, issued_at = issued_at - $1::interval`, by)
}

func (r *replica) refresh(t *testing.T, token string) (*authv1.RefreshTokensResponse, error) {
	t.Helper()
	return r.auth.RefreshTokens(t.Context(), &authv1.RefreshTokensRequest{RefreshToken: token})
}

func TestSixteenRefreshesAtOnceAtTwoReplicasGetTheSamePairByteForByte(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t), w.start(t)
	one.register(t, "anna@example.com")
	first := one.login(t, "anna@example.com")
	w.age(t, window)
	answers := make([]*authv1.RefreshTokensResponse, 16)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			r := []*replica{one, two}[i%2]
			var err error
			if answers[i], err = r.refresh(t, first.GetRefreshToken()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, a := range answers {
		if !proto.Equal(a, answers[0]) {
			t.Fatal("two of the sixteen got different pairs")
		}
	}
	if answers[0].GetRefreshToken() == first.GetRefreshToken() {
		t.Error("the generation was not rotated")
	}
	again, err := two.refresh(t, first.GetRefreshToken())
	if err != nil || !proto.Equal(again, answers[0]) {
		t.Errorf("again within the window: another pair, %v", err)
	}
	if err := two.me(t.Context(), answers[0].GetAccessToken()); err != nil {
		t.Errorf("the access token: %v", err)
	}

	// After the window the successor rotates, and the token of two generations
	// ago ends the session and its access tokens.
	w.age(t, window)
	third, err := two.refresh(t, answers[0].GetRefreshToken())
	if err != nil || third.GetRefreshToken() == answers[0].GetRefreshToken() {
		t.Fatalf("the successor was not rotated: %v", err)
	}
	if _, err := one.refresh(t, first.GetRefreshToken()); status.Reason(err) != "REFRESH_REUSED" {
		t.Errorf("grandparent: %v", err)
	}
	if _, err := two.refresh(t, third.GetRefreshToken()); status.Reason(err) != "SESSION_REVOKED" {
		t.Errorf("its successor: %v", err)
	}
	awaitRevoked(t, two, third.GetAccessToken())
}

// awaitRevoked waits for a revocation that no call waited for: theft is
// answered at once and travels with the feed.
func awaitRevoked(t *testing.T, r *replica, token string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := r.me(t.Context(), token)
		if status.Reason(err) == "TOKEN_REVOKED" {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the token is still good: %v", err)
		}
	}
}

func TestALostAnswerIsGivenAgainWithTheRetryKeyHoweverLate(t *testing.T) {
	w := newWorld(t)
	r := w.start(t)
	r.register(t, "anna@example.com")
	login := r.login(t, "anna@example.com")
	w.age(t, window)
	req := &authv1.RefreshTokensRequest{RefreshToken: login.GetRefreshToken(), RetryKey: []byte("0123456789abcdef")}
	lost, err := r.auth.RefreshTokens(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	w.age(t, time.Hour)
	late, err := r.auth.RefreshTokens(t.Context(), req)
	if err != nil || late.GetRefreshToken() != lost.GetRefreshToken() {
		t.Fatalf("the late answer differs: %v", err)
	}
	if left := time.Until(late.GetAccessExpiresAt().AsTime()); left < 4*time.Minute {
		t.Errorf("its access token lives %v", left)
	}
	if err := r.me(t.Context(), late.GetAccessToken()); err != nil {
		t.Errorf("its access token: %v", err)
	}
	req.RetryKey = []byte("fedcba9876543210")
	if _, err := r.auth.RefreshTokens(t.Context(), req); status.Reason(err) != "REFRESH_REUSED" {
		t.Errorf("another key: %v", err)
	}
}

func TestANativeSessionIsToldThatItsRefreshNeedsARetryKey(t *testing.T) {
	r := newWorld(t).start(t)
	r.register(t, "anna@example.com")
	login, err := r.auth.Login(t.Context(), &authv1.LoginRequest{Email: "anna@example.com", Password: password, Native: true})
	if err != nil {
		t.Fatal(err)
	}
	req := &authv1.RefreshTokensRequest{RefreshToken: login.GetRefreshToken()}
	if _, err := r.auth.RefreshTokens(t.Context(), req); status.Code(err) != codes.InvalidArgument || status.Reason(err) != "REQUEST_INVALID" {
		t.Errorf("without a key: %v", err)
	}
	req.RetryKey = []byte("0123456789abcdef")
	if _, err := r.auth.RefreshTokens(t.Context(), req); err != nil {
		t.Errorf("with a key: %v", err)
	}
}

func TestForgedRefreshTokensAreUnknownAndTouchNothing(t *testing.T) {
	r := newWorld(t).start(t)
	r.register(t, "anna@example.com")
	login := r.login(t, "anna@example.com")
	raw, err := base64.RawURLEncoding.DecodeString(login.GetRefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		forged := append([]byte{}, raw...)
		forged[i] ^= 1
		if _, err := r.refresh(t, base64.RawURLEncoding.EncodeToString(forged)); status.Reason(err) != "REFRESH_UNKNOWN" {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for _, forged := range []string{"x", login.GetAccessToken()[:100], login.GetRefreshToken() + "=", login.GetRefreshToken() + "A"} {
		if _, err := r.refresh(t, forged); status.Reason(err) != "REFRESH_UNKNOWN" {
			t.Errorf("%.10q...: %v", forged, err)
		}
	}
	if _, err := r.refresh(t, login.GetRefreshToken()); err != nil {
		t.Errorf("the real one: %v", err)
	}
}
