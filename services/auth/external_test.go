package auth_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

func TestATokenOfAnExternalIssuerBeginsASessionOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	believed := w.believe(t, true, id)
	one, two := w.start(t, believed), w.start(t, believed)

	first := one.exchange(t, id.token(t, "anna|1"))
	user := first.GetUser()
	if user.GetEmail() != "" || !user.GetActive() || !slices.Equal(user.GetRoles(), []string{"customer"}) ||
		first.GetIssuedTokenType() != "urn:ietf:params:oauth:token-type:access_token" {
		t.Errorf("%v, %s", user, first.GetIssuedTokenType())
	}
	// The roles, the session and the strength that the issuer speaks of are its own.
	if p := payloadOf(t, first.GetAccessToken()); p.Epoch != 1 || !slices.Equal(p.Roles, []string{"customer"}) || p.ACR != "aal1" {
		t.Errorf("our token says %+v", p)
	}
	second := two.exchange(t, id.token(t, "anna|1", tokentest.Claims{"acr": "aal3", "amr": []string{"hwk"}}))
	if second.GetUser().GetName() != user.GetName() || second.GetSession() == first.GetSession() {
		t.Errorf("the second session is %s of %s", second.GetSession(), second.GetUser().GetName())
	}
	if p := payloadOf(t, second.GetAccessToken()); p.ACR != "aal1" {
		t.Errorf("acr %q came from outside", p.ACR)
	}
	if other := one.exchange(t, id.token(t, "anna|2")); other.GetUser().GetName() == user.GetName() {
		t.Error("two subjects are one user")
	}
	for _, r := range []*replica{one, two} {
		if err := r.me(t.Context(), first.GetAccessToken()); err != nil {
			t.Errorf("our token is refused: %v", err)
		}
	}
	w.age(t, window)
	refreshed, err := two.refresh(t, first.GetRefreshToken())
	if err != nil || refreshed.GetRefreshToken() == first.GetRefreshToken() {
		t.Fatalf("refresh: %v", err)
	}
	if _, err := one.account.RevokeSession(as(t.Context(), refreshed.GetAccessToken()), &authv1.RevokeSessionRequest{Name: second.GetSession()}); err != nil {
		t.Errorf("RevokeSession: %v", err)
	}
	if _, err := two.auth.Logout(as(t.Context(), refreshed.GetAccessToken()), &authv1.LogoutRequest{}); err != nil {
		t.Errorf("Logout: %v", err)
	}
	for _, r := range []*replica{one, two} {
		for _, token := range []string{first.GetAccessToken(), refreshed.GetAccessToken(), second.GetAccessToken()} {
			if err := r.me(t.Context(), token); status.Reason(err) != "TOKEN_REVOKED" {
				t.Errorf("a token of an ended session: %v", err)
			}
		}
	}
	for _, token := range []string{refreshed.GetRefreshToken(), second.GetRefreshToken()} {
		if _, err := one.refresh(t, token); status.Reason(err) != "SESSION_REVOKED" {
			t.Errorf("refresh of an ended session: %v", err)
		}
	}
}

func TestOnlyAGoodTokenOfABelievedIssuerIsExchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, stranger := newProvider(t, "https://id.example.com"), newProvider(t, "https://id.example.com")
	r := w.start(t, w.believe(t, true, id))
	r.register(t, "anna@example.com")
	for name, token := range map[string]string{
		"one of ours":     r.login(t, "anna@example.com").GetAccessToken(),
		"expired":         id.token(t, "x", tokentest.Claims{"iat": ago(2 * time.Hour), "nbf": nil, "exp": ago(time.Hour)}),
		"for others":      id.token(t, "x", tokentest.Claims{"aud": "https://elsewhere.example.com"}),
		"another issuer":  id.token(t, "x", tokentest.Claims{"iss": "https://other.example.com"}),
		"another's key":   stranger.token(t, "x"),
		"an id token":     id.token(t, "x", tokentest.Claims{"nonce": "n"}),
		"without subject": id.token(t, "x", tokentest.Claims{"sub": nil}),
		"no token":        "x",
	} {
		_, err := r.tryExchange(t, token)
		if status.Code(err) != codes.Unauthenticated || status.Reason(err) != "EXTERNAL_TOKEN_INVALID" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for kind, want := range map[string]string{
		"":                                     "",
		"urn:ietf:params:oauth:token-type:jwt": "",
		"urn:ietf:params:oauth:token-type:access_token": "",
		"urn:ietf:params:oauth:token-type:id_token":     "REQUEST_INVALID",
		"urn:ietf:params:oauth:token-type:saml2":        "REQUEST_INVALID",
	} {
		_, err := r.auth.ExchangeExternalToken(t.Context(), &authv1.ExchangeExternalTokenRequest{SubjectToken: id.token(t, "x"), SubjectTokenType: kind})
		if status.Reason(err) != want {
			t.Errorf("type %q: %v", kind, err)
		}
	}
	if _, err := r.tryExchange(t, strings.Repeat("x", 8193)); status.Reason(err) != "REQUEST_INVALID" {
		t.Errorf("too long: %v", err)
	}
	if _, err := w.start(t).tryExchange(t, id.token(t, "x")); status.Code(err) != codes.FailedPrecondition || status.Reason(err) != "EXTERNAL_ISSUERS_NOT_CONFIGURED" {
		t.Errorf("without a file: %v", err)
	}
}

func TestAnIssuerThatMakesNoUsersBringsOnlyThoseWhoAreLinked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	r := w.start(t, w.believe(t, false, id))
	name := r.register(t, "anna@example.com")
	if _, err := r.tryExchange(t, id.token(t, "anna")); status.Code(err) != codes.PermissionDenied || status.Reason(err) != "EXTERNAL_USER_UNKNOWN" {
		t.Errorf("not linked: %v", err)
	}
	// An address in the token links nobody.
	if _, err := r.tryExchange(t, id.token(t, "anna", tokentest.Claims{"email": "anna@example.com", "email_verified": true})); status.Reason(err) != "EXTERNAL_USER_UNKNOWN" {
		t.Errorf("with the address: %v", err)
	}
	w.exec(t, `INSERT INTO external_identities (issuer, subject, user_id) VALUES ($1, 'anna', $2)`, id.URL, strings.TrimPrefix(name, "users/"))
	in := r.exchange(t, id.token(t, "anna"))
	if in.GetUser().GetName() != name || in.GetUser().GetEmail() != "anna@example.com" {
		t.Errorf("%v", in.GetUser())
	}
}

func TestNewUsersOfAnExternalIssuerArePacedAndKnownOnesAreNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	r := w.start(t, w.believe(t, true, id), func(cfg *auth.Config) { cfg.RegisterRate = 0.001 })
	r.exchange(t, id.token(t, "anna"))
	for range 3 {
		r.exchange(t, id.token(t, "anna"))
	}
	if _, err := r.tryExchange(t, id.token(t, "bert")); status.Reason(err) != "RATE_LIMITED" {
		t.Errorf("one more user: %v", err)
	}
}

func TestWithoutATimeOfAuthenticationFromOutsideSensitiveCallsAskForAStepUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	r := w.start(t, w.believe(t, true, id), quick)
	r.exchange(t, id.token(t, "root"))
	w.exec(t, `UPDATE users SET roles = '{admin}'`)
	for name, c := range map[string]struct {
		claims tokentest.Claims
		want   string
	}{
		"unknown":    {nil, "STEP_UP_REQUIRED"},
		"long ago":   {tokentest.Claims{"auth_time": ago(time.Hour)}, "STEP_UP_REQUIRED"},
		"just now":   {tokentest.Claims{"auth_time": ago(time.Minute)}, ""},
		"the future": {tokentest.Claims{"auth_time": ago(-20 * time.Second)}, ""}, // by a clock that is a little ahead
	} {
		in := r.exchange(t, id.token(t, "root", c.claims))
		ctx := as(t.Context(), in.GetAccessToken())
		if _, err := r.admin.RotateSigningKey(ctx, &authv1.RotateSigningKeyRequest{Primary: "signingKeys/" + strings.Repeat("x", 43)}); status.Reason(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if p := payloadOf(t, in.GetAccessToken()); p.AuthTime > time.Now().Unix() {
			t.Errorf("%s: auth_time %d is later than now", name, p.AuthTime)
		}
	}
}

func TestAUserWithoutAPasswordIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	r := w.start(t, w.believe(t, true, id))
	ctx := as(t.Context(), r.exchange(t, id.token(t, "anna")).GetAccessToken())
	_, err := r.account.ChangePassword(ctx, &authv1.ChangePasswordRequest{CurrentPassword: password, NewPassword: password + "!"})
	if status.Code(err) != codes.FailedPrecondition || status.Reason(err) != "PASSWORD_NOT_SET" {
		t.Errorf("err = %v", err)
	}
	for _, email := range []string{"   ", "anna"} {
		if _, err := r.auth.Login(t.Context(), &authv1.LoginRequest{Email: email, Password: password}); status.Reason(err) != "CREDENTIALS_INVALID" {
			t.Errorf("login as %q: %v", email, err)
		}
	}
}

func TestKeysOfAnExternalIssuerThatCannotBeHadAreNoFaultOfTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	w.write(t, "externals.json", encoded(t, map[string]any{"issuers": []map[string]any{
		{"issuer": id.URL, "audiences": []string{audience}, "jwks_url": "https://127.0.0.1:1/jwks.json"},
	}}))
	r := w.start(t, func(cfg *auth.Config) { cfg.ExternalIssuersFile = filepath.Join(w.dir, "externals.json") })
	if _, err := r.tryExchange(t, id.token(t, "anna")); status.Code(err) != codes.Unavailable || status.Reason(err) != "KEYS_UNAVAILABLE" {
		t.Errorf("err = %v", err)
	}
}

func TestTheCheckShowsExternalIssuersAndRefusesOurOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := newProvider(t, "https://id.example.com")
	cmd := auth.Command()
	cfg, ok := cmd.Config.(*auth.Config)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	w.config(cfg)
	w.believe(t, true, id)(cfg)
	var out bytes.Buffer
	if err := cmd.Check(&out); err != nil || !strings.Contains(out.String(), id.URL) || !strings.Contains(out.String(), "provision=true") {
		t.Errorf("%v: %s", err, out.String())
	}
	for _, own := range []string{cfg.Issuer, cfg.Issuer + "/"} {
		w.believe(t, true, newProvider(t, own))(cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "--external-issuers-file") {
			t.Errorf("%s: %v", own, err)
		}
	}
}
