package token_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// provider is an OIDC issuer whose documents a test can change. In them
// ISSUER stands for its address.
type provider struct {
	*httptest.Server
	documents map[string]string
	asked     []string
}

func newProvider(t *testing.T, documents map[string]string) *provider {
	t.Helper()
	p := &provider{documents: documents}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked = append(p.asked, r.URL.Path)
		text, ok := p.documents[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(text, "/"):
			http.Redirect(w, r, text, http.StatusFound)
		default:
			_, _ = fmt.Fprint(w, strings.ReplaceAll(text, "ISSUER", p.URL))
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func TestTheKeysOfAnIssuerAreFoundByItsName(t *testing.T) {
	f, _ := newForge(t)
	for name, path := range map[string]string{"at the root": "", "below a path": "/realms/shop"} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, map[string]string{
				path + "/.well-known/openid-configuration": `{"issuer": "ISSUER` + path + `", "jwks_uri": "ISSUER/keys", "response_types_supported": ["code"]}`,
				"/keys":  string(set(jwk(f.issuer, tokentest.KeyID))),
				"/moved": string(set(jwk(f.issuer, "new-key"))),
			})
			fetch, err := token.Discover(p.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			keys, err := token.NewRemote(fetch, discard, token.RemoteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer keys.Close()
			if alg, _, err := keys.Key(t.Context(), tokentest.KeyID); err != nil || alg != token.EdDSA {
				t.Errorf("%s, %v", alg, err)
			}
			p.documents[path+"/.well-known/openid-configuration"] = `{"issuer": "ISSUER` + path + `", "jwks_uri": "ISSUER/moved"}`
			data, err := fetch(t.Context())
			if err != nil || !strings.Contains(string(data), "new-key") {
				t.Errorf("a set that moved: %s, %v", data, err)
			}
		})
	}
}

func TestADocumentThatIsNotTheIssuersIsRefused(t *testing.T) {
	f, _ := newForge(t)
	keys := string(set(jwk(f.issuer, tokentest.KeyID)))
	for name, document := range map[string]string{
		"of another issuer":           `{"issuer": "https://evil.example.org", "jwks_uri": "ISSUER/keys"}`,
		"of an issuer with a slash":   `{"issuer": "ISSUER/", "jwks_uri": "ISSUER/keys"}`,
		"of nobody":                   `{"jwks_uri": "ISSUER/keys"}`,
		"of a number":                 `{"issuer": 7, "jwks_uri": "ISSUER/keys"}`,
		"with the name in other case": `{"Issuer": "ISSUER", "jwks_uri": "ISSUER/keys"}`,
		"without keys":                `{"issuer": "ISSUER"}`,
		"with keys in the clear":      `{"issuer": "ISSUER", "jwks_uri": "http://keys.example.org/keys"}`,
		"with keys in a file":         `{"issuer": "ISSUER", "jwks_uri": "file:///etc/keys"}`,
		"with keys of no host":        `{"issuer": "ISSUER", "jwks_uri": "https:///keys"}`,
		"with a relative address":     `{"issuer": "ISSUER", "jwks_uri": "/keys"}`,
		"that is no object":           `["ISSUER"]`,
		"that is too long":            `{"issuer": "ISSUER", "jwks_uri": "ISSUER/keys", "x": "` + strings.Repeat("x", 300<<10) + `"}`,
		"that is elsewhere":           `/elsewhere`,
		"whose keys are elsewhere":    `{"issuer": "ISSUER", "jwks_uri": "ISSUER/redirected"}`,
		"whose keys are not there":    `{"issuer": "ISSUER", "jwks_uri": "ISSUER/nothing"}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, map[string]string{
				"/.well-known/openid-configuration": document, "/keys": keys, "/redirected": "/keys",
				"/elsewhere": `{"issuer": "ISSUER", "jwks_uri": "ISSUER/keys"}`,
			})
			// Every host is there, so only a rule can refuse one.
			everywhere := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, p.Listener.Addr().String())
			}}}
			defer everywhere.CloseIdleConnections()
			fetch, err := token.Discover(p.URL, everywhere)
			if err != nil {
				t.Fatal(err)
			}
			if data, err := fetch(t.Context()); err == nil {
				t.Errorf("taken: %s; asked for %v", data, p.asked)
			}
		})
	}
}

// An issuer on the network must not make this process ask this machine.
func TestAnIssuerOnTheNetworkMustNotNameKeysInTheClear(t *testing.T) {
	f, _ := newForge(t)
	local := newProvider(t, map[string]string{"/keys": string(set(jwk(f.issuer, tokentest.KeyID)))})
	var issuer *httptest.Server
	issuer = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, issuer.URL, local.URL+"/keys")
	}))
	defer issuer.Close()
	fetch, err := token.Discover(issuer.URL, issuer.Client())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(t.Context()); err == nil || len(local.asked) > 0 {
		t.Errorf("error %v, asked for %v", err, local.asked)
	}
}

func TestAnIssuerThatCannotBeTrustedIsRefusedAtTheStart(t *testing.T) {
	for _, issuer := range []string{
		"http://auth.example.org", "auth.example.org", "", "https://", "https://a.example.org?x=1", "https://a.example.org/#f",
		"https://user@a.example.org", "ftp://127.0.0.1", "https:opaque", "http://127.0.0.1.example.org", "https://a.example.org?",
	} {
		if _, err := token.Discover(issuer, nil); err == nil {
			t.Errorf("%q is taken", issuer)
		}
	}
}
