package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth"
)

const audience = "https://api.example.com"

// provider is an external issuer whose keys are in a file.
type provider struct{ *tokentest.Issuer }

func newProvider(t *testing.T, url string) *provider {
	t.Helper()
	p := &provider{tokentest.New(t)}
	p.URL = url
	return p
}

// token is one of the provider for a subject; changes are laid over its claims.
func (p *provider) token(t *testing.T, subject string, changes ...tokentest.Claims) string {
	t.Helper()
	claims := tokentest.Claims{
		"aud": audience, "epoch": nil, "roles": []string{"admin"}, "acr": nil, "auth_time": nil, "sid": "sess_1", "jti": nil,
	}
	return p.User(t, subject, nil, append([]tokentest.Claims{claims}, changes...)...)
}

// believe makes the file of external issuers, and is the setting that names it.
func (w *world) believe(t *testing.T, provision bool, providers ...*provider) func(*auth.Config) {
	t.Helper()
	var issuers []map[string]any
	for _, p := range providers {
		name := "jwks-" + strings.NewReplacer(":", "", "/", "").Replace(p.URL) + ".json"
		w.write(t, name, encoded(t, map[string]any{"keys": []map[string]string{{
			"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": tokentest.KeyID,
			"x": base64.RawURLEncoding.EncodeToString(p.Public()),
		}}}))
		issuers = append(issuers, map[string]any{
			"issuer": p.URL, "audiences": []string{audience}, "jwks_file": filepath.Join(w.dir, name), "provision": provision,
		})
	}
	w.write(t, "externals.json", encoded(t, map[string]any{"issuers": issuers}))
	return func(cfg *auth.Config) { cfg.ExternalIssuersFile = filepath.Join(w.dir, "externals.json") }
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (r *replica) tryExchange(t *testing.T, token string) (*authv1.ExchangeExternalTokenResponse, error) {
	t.Helper()
	return r.auth.ExchangeExternalToken(t.Context(), &authv1.ExchangeExternalTokenRequest{SubjectToken: token})
}

// exchange begins a session for an external token.
func (r *replica) exchange(t *testing.T, token string) *authv1.ExchangeExternalTokenResponse {
	t.Helper()
	resp, err := r.tryExchange(t, token)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// payload is what one of our tokens says.
type payload struct {
	Epoch    int64
	Roles    []string
	ACR      string
	AuthTime int64 `json:"auth_time"`
}

func payloadOf(t *testing.T, token string) (p payload) {
	t.Helper()
	content, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// ago is a time as tokens have it.
func ago(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
