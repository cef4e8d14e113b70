package external_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// audience is what tokens must be for.
const audience = "https://api.shop.example"

// provider is an identity provider: discovery, keys, and the tokens that it
// signs with them. Its keys can be replaced, and it can be down.
type provider struct {
	*httptest.Server
	name  string // `iss`
	mu    sync.Mutex
	kid   string
	key   *tokentest.Issuer
	shown map[string]*tokentest.Issuer
	down  bool
	asked int // for keys
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := newSigner(t)
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.StartTLS()
	p.name = p.URL
	t.Cleanup(p.Close)
	return p
}

// newSigner returns a provider that has no server.
func newSigner(t *testing.T) *provider {
	t.Helper()
	p := &provider{name: "https://id.shop.example", shown: map[string]*tokentest.Issuer{}}
	p.rotate(t, "one")
	return p
}

// ServeHTTP implements http.Handler.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down:
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/.well-known/openid-configuration":
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, p.URL, p.URL+"/keys")
	default:
		p.asked++
		_, _ = w.Write([]byte(p.set()))
	}
}

func (p *provider) set() string {
	var keys []string
	for kid, key := range p.shown {
		x := base64.RawURLEncoding.EncodeToString(key.Public())
		keys = append(keys, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":%q,"x":%q}`, kid, x))
	}
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

// rotate makes a key, shows it beside the ones that are there, and signs with it.
func (p *provider) rotate(t *testing.T, kid string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kid, p.key = kid, tokentest.New(t)
	p.shown[kid] = p.key
}

// withdraw shows a key no more.
func (p *provider) withdraw(kid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.shown, kid)
}

func (p *provider) turn(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// ca is a file with the certificate of the provider.
func (p *provider) ca(t *testing.T) string {
	t.Helper()
	return file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})))
}

// entry is the issuer as it stands in the file of issuers, with more members
// that begin with a comma.
func (p *provider) entry(t *testing.T, more string) string {
	t.Helper()
	return fmt.Sprintf(`{"issuer":%q,"audiences":[%q],"ca_file":%q%s}`, p.URL, audience, p.ca(t), more)
}

func (p *provider) claims(change tokentest.Claims) tokentest.Claims {
	now := time.Now().Unix()
	claims := tokentest.Claims{"iss": p.name, "aud": audience, "sub": "user-1", "iat": now, "exp": now + 300}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// token is one of the provider, with changed claims.
func (p *provider) token(t *testing.T, change tokentest.Claims) string {
	t.Helper()
	return p.key.Sign(t, tokentest.Claims{"alg": "EdDSA", "typ": "at+jwt", "kid": p.kid}, p.claims(change))
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens the issuers of a file with these elements.
func open(t *testing.T, elements ...string) *external.Issuers {
	t.Helper()
	return openWith(t, slog.DiscardHandler, elements...)
}

func openWith(t *testing.T, log slog.Handler, elements ...string) *external.Issuers {
	t.Helper()
	cfg, err := external.Load(file(t, `{"issuers":[`+strings.Join(elements, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	issuers, err := external.Open(cfg, slog.New(log), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuers.Close)
	return issuers
}
