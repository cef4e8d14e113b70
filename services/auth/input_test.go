package auth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

func TestBadRegistrationsAreRefusedWithAReason(t *testing.T) {
	r := newWorld(t).start(t)
	r.register(t, "taken@example.com")
	for _, c := range []struct{ email, password, reason string }{
		{"taken@example.com", password, "EMAIL_TAKEN"},
		{"TAKEN@Example.COM ", password, "EMAIL_TAKEN"},
		{"no address", password, "EMAIL_INVALID"},
		{"a@b\x00c", password, "EMAIL_INVALID"},
		{"Anna <a@example.com>", password, "EMAIL_INVALID"},
		{"a@example.com", "short", "PASSWORD_TOO_SHORT"},
		{"a@example.com", strings.Repeat("ab", 65), "PASSWORD_TOO_LONG"},
		{"a@example.com", "Password123", "PASSWORD_BREACHED"},
		{"a@example.com", "a@example.com", "PASSWORD_BREACHED"},
		{"a@example.com", strings.Repeat("x", 30), "PASSWORD_BREACHED"},
		{"a@example.com", strings.Repeat("x", 2000), "REQUEST_INVALID"},
		{strings.Repeat("a", 300) + "@example.com", password, "REQUEST_INVALID"},
		{"", "", "REQUEST_INVALID"},
	} {
		_, err := r.auth.Register(t.Context(), &authv1.RegisterRequest{Email: c.email, Password: c.password})
		if status.Reason(err) != c.reason {
			t.Errorf("%.40q / %.20q: %v, want %s", c.email, c.password, err, c.reason)
		}
	}
	_, err := r.auth.Register(t.Context(), &authv1.RegisterRequest{Email: "a\xff@example.com", Password: password})
	if err == nil {
		t.Error("invalid UTF-8 was accepted")
	}
	if _, err := r.auth.Register(t.Context(), &authv1.RegisterRequest{Email: "a@example.com", Password: "pässwört mit ümläuten"}); err != nil {
		t.Errorf("a good one after all: %v", err)
	}
}

func TestAGuesserIsSlowedDownAndTheOwnerElsewhereIsNot(t *testing.T) {
	w := newWorld(t)
	r := w.start(t)
	r.register(t, "anna@example.com")
	for _, email := range []string{"anna@example.com", "nobody@example.com"} {
		for i := range 6 {
			_, err := r.auth.Login(t.Context(), &authv1.LoginRequest{Email: email, Password: fmt.Sprint("guess number ", i)})
			want := "CREDENTIALS_INVALID"
			if i == 5 {
				want = "TOO_MANY_ATTEMPTS"
			}
			if status.Reason(err) != want {
				t.Errorf("%s, guess %d: %v, want %s", email, i, err, want)
			}
		}
	}
}

// Else anybody behind the proxy of the shop locks any account out.
func TestAGuesserBehindAProxyLocksNobodyElseOut(t *testing.T) {
	r := newWorld(t).start(t)
	r.register(t, "anna@example.com")
	login := func(forwarded, password string) int {
		t.Helper()
		body := fmt.Sprintf(`{"email": "anna@example.com", "password": %q}`, password)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.http+"/auth/v1/sessions:login", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", forwarded)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for i := range 5 {
		// It writes another address each time; the proxy appends the true one.
		if code := login(fmt.Sprintf("198.51.100.%d, 203.0.113.7", i), "guess"); code != http.StatusUnauthorized {
			t.Errorf("guess %d: %d", i, code)
		}
	}
	if code := login("203.0.113.7", password); code != http.StatusTooManyRequests {
		t.Errorf("the guesser: %d", code)
	}
	if code := login("203.0.113.8", password); code != http.StatusOK {
		t.Errorf("the owner: %d", code)
	}
}

func TestAnAddressThatRegistersTooFastIsToldToWait(t *testing.T) {
	// One in 50 s: a busy machine needs seconds for a few passwords.
	r := newWorld(t).start(t, func(c *auth.Config) { c.RegisterRate = 0.02 })
	for i, want := range []string{"", "RATE_LIMITED"} {
		_, err := r.auth.Register(t.Context(), &authv1.RegisterRequest{Email: fmt.Sprintf("u%d@example.com", i), Password: password})
		if status.Reason(err) != want {
			t.Errorf("registration %d: %v", i+1, err)
		}
		if want != "" && status.Code(err) != codes.ResourceExhausted {
			t.Errorf("registration %d: %v", i+1, status.Code(err))
		}
	}
	// The limit is on new accounts only.
	r.login(t, "u0@example.com")
}

func TestSessionsAreListedNewestFirstPageByPage(t *testing.T) {
	w := newWorld(t)
	r := w.start(t)
	name, stranger := r.register(t, "anna@example.com"), r.register(t, "eve@example.com")
	var want []string
	var last *authv1.LoginResponse
	for range 5 {
		last = r.login(t, "anna@example.com")
		want = append([]string{last.GetSession()}, want...)
	}
	ctx := as(t.Context(), last.GetAccessToken())
	var got []string
	req := &authv1.ListSessionsRequest{Parent: name, PageSize: 2}
	for {
		page, err := r.account.ListSessions(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.GetSessions() {
			got = append(got, s.GetName())
			if s.GetCurrent() != (s.GetName() == last.GetSession()) {
				t.Errorf("%s: current %v", s.GetName(), s.GetCurrent())
			}
		}
		if req.PageToken = page.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", got, want)
	}

	first, err := r.account.ListSessions(ctx, &authv1.ListSessionsRequest{Parent: name, PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	eve := as(t.Context(), r.login(t, "eve@example.com").GetAccessToken())
	for what, c := range map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"another's sessions": {second(r.account.ListSessions(eve, &authv1.ListSessionsRequest{Parent: name})), codes.PermissionDenied, "PERMISSION_DENIED"},
		"another's page token": {
			second(r.account.ListSessions(eve, &authv1.ListSessionsRequest{Parent: stranger, PageToken: first.GetNextPageToken()})), codes.InvalidArgument, "PAGE_TOKEN_INVALID",
		},
		"a changed page token": {
			second(r.account.ListSessions(ctx, &authv1.ListSessionsRequest{Parent: name, PageToken: first.GetNextPageToken()[1:]})), codes.InvalidArgument, "PAGE_TOKEN_INVALID",
		},
		"a negative size": {second(r.account.ListSessions(ctx, &authv1.ListSessionsRequest{Parent: name, PageSize: -1})), codes.InvalidArgument, "REQUEST_INVALID"},
		"no name":         {second(r.account.ListSessions(ctx, &authv1.ListSessionsRequest{Parent: name + "'"})), codes.PermissionDenied, "PERMISSION_DENIED"},
		"a session of nobody": {
			second(r.account.RevokeSession(ctx, &authv1.RevokeSessionRequest{Name: name + "/sessions/" + strings.TrimPrefix(name, "users/")})), codes.NotFound, "SESSION_NOT_FOUND",
		},
	} {
		if status.Code(c.err) != c.code || status.Reason(c.err) != c.reason {
			t.Errorf("%s: %v", what, c.err)
		}
	}
}

// second is the error of a call.
func second[T any](_ T, err error) error { return err }
