package auth_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// service registers a service and returns what signs its assertions.
func (w *world) service(t *testing.T, name string) creds.Assertion {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal([]map[string]any{{"service": name, "kid": creds.KeyID(public), "public_key": []byte(public)}})
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "services.json", list)
	w.write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return creds.Assertion{Service: name, Audience: "https://auth.curfew.dev", KeyFile: filepath.Join(w.dir, name+".pem")}
}

func TestAServiceGetsATokenForAnAssertionOnceAndCanRevokeIt(t *testing.T) {
	w := newWorld(t)
	orders := w.service(t, "orders")
	r := w.start(t)
	assertion, err := orders.Sign(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	req := &authv1.IssueServiceTokenRequest{Assertion: string(assertion)}
	issued, err := r.auth.IssueServiceToken(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(issued.GetAccessExpiresAt().AsTime()); left > 5*time.Minute {
		t.Errorf("the token lives %v", left)
	}
	if _, err := r.auth.IssueServiceToken(t.Context(), req); status.Reason(err) != "ASSERTION_INVALID" {
		t.Errorf("the same assertion again: %v", err)
	}
	ctx := as(t.Context(), issued.GetAccessToken())
	own, err := r.token.IntrospectToken(ctx, &authv1.IntrospectTokenRequest{Token: issued.GetAccessToken()})
	if err != nil || !own.GetActive() || own.GetPrincipal() != "services/orders" {
		t.Errorf("introspection = %v, %v", own, err)
	}
	if _, err := r.account.GetMe(ctx, &authv1.GetMeRequest{}); status.Reason(err) != "PERMISSION_DENIED" {
		t.Errorf("GetMe of a service: %v", err)
	}
	if _, err := r.auth.Logout(ctx, &authv1.LogoutRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err = r.token.IntrospectToken(ctx, &authv1.IntrospectTokenRequest{Token: issued.GetAccessToken()})
	if status.Reason(err) != "TOKEN_REVOKED" {
		t.Errorf("after its logout: %v", err)
	}
}

func TestIntrospectionAnswersServicesFromTheDatabase(t *testing.T) {
	w := newWorld(t)
	orders := w.service(t, "orders")
	r := w.start(t)
	name := r.register(t, "anna@example.com")
	user := r.login(t, "anna@example.com")
	assertion, err := orders.Sign(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issued, err := r.auth.IssueServiceToken(t.Context(), &authv1.IssueServiceTokenRequest{Assertion: string(assertion)})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string) *authv1.IntrospectTokenResponse {
		t.Helper()
		resp, err := r.token.IntrospectToken(as(t.Context(), issued.GetAccessToken()), &authv1.IntrospectTokenRequest{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if got := ask(user.GetAccessToken()); !got.GetActive() || got.GetPrincipal() != name || got.GetEpoch() != 1 {
		t.Errorf("a good token: %v", got)
	}
	for what, token := range map[string]string{
		"a refresh token": user.GetRefreshToken(), "garbage": "x.y.z",
		"a cut token": user.GetAccessToken()[:len(user.GetAccessToken())-2],
	} {
		if got := ask(token); got.GetActive() || got.GetPrincipal() != "" {
			t.Errorf("%s: %v", what, got)
		}
	}
	// Nobody was told, and still it is known.
	w.exec(t, `UPDATE sessions SET revoked_at = now()`)
	if got := ask(user.GetAccessToken()); got.GetActive() {
		t.Errorf("after the end of the session: %v", got)
	}
	_, err = r.token.IntrospectToken(as(t.Context(), user.GetAccessToken()), &authv1.IntrospectTokenRequest{Token: "x"})
	if status.Reason(err) != "PERMISSION_DENIED" {
		t.Errorf("a user asks: %v", err)
	}
}

func TestReplicasThatStartAtOnceAgreeOnTheSigningKeyAndPublishIt(t *testing.T) {
	w := newWorld(t)
	one, two := w.start(t), w.start(t)
	var kids []string
	for _, r := range []*replica{one, two} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.http+"/.well-known/jwks.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var set struct {
			Keys []struct{ Kty, Crv, X, Kid, Alg, Use string }
		}
		if err != nil || json.Unmarshal(body, &set) != nil || len(set.Keys) == 0 || set.Keys[0].Kty != "OKP" || set.Keys[0].Alg != "EdDSA" {
			t.Fatalf("%d %s, %v", resp.StatusCode, body, err)
		}
		kids = append(kids, set.Keys[0].Kid)
	}
	if kids[0] != kids[1] {
		t.Errorf("two keys: %v", kids)
	}
}

func TestTheJSONEdgePassesTheChain(t *testing.T) {
	r := newWorld(t).start(t)
	post := func(path, body, token string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.http+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		out, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(out)
	}
	credentials := `{"email":"anna@example.com","password":"` + password + `"}`
	if code, out := post("/auth/v1/users:register", credentials, ""); code != http.StatusOK {
		t.Fatalf("register: %d %s", code, out)
	}
	code, out := post("/auth/v1/sessions:login", credentials, "")
	var login struct{ AccessToken string }
	if err := json.Unmarshal([]byte(out), &login); err != nil || code != http.StatusOK || login.AccessToken == "" {
		t.Fatalf("login: %d, %v", code, err)
	}
	if code, out := post("/auth/v1/sessions:logout", "{}", ""); code != http.StatusUnauthorized || !strings.Contains(out, "TOKEN_MISSING") {
		t.Errorf("logout without a token: %d %s", code, out)
	}
	if code, out := post("/auth/v1/sessions:logout", "{}", login.AccessToken); code != http.StatusOK {
		t.Errorf("logout: %d %s", code, out)
	}
	if code, out := post("/auth/v1/sessions:logout", "{}", login.AccessToken); code != http.StatusUnauthorized || !strings.Contains(out, "TOKEN_REVOKED") {
		t.Errorf("logout again: %d %s", code, out)
	}
}
