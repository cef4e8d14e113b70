package cluster_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/cluster"
	"github.com/curfew-platform/curfew/services/auth/internal/cluster/clustertest"
	"github.com/curfew-platform/curfew/services/auth/internal/jwks"
)

const audience = "https://auth.curfew.dev"

// server is an API server: it shows its keys to who has its bearer token.
type server struct {
	*clustertest.Cluster

	*httptest.Server
	bearer atomic.Pointer[string]
	asked  atomic.Int32
	down   atomic.Bool
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{Cluster: clustertest.New(t)}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		want := s.bearer.Load()
		switch {
		case s.down.Load():
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path != "/openid/v1/jwks" || want != nil && r.Header.Get("Authorization") != "Bearer "+*want:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/jwk-set+json")
			_, _ = w.Write(s.JWKS())
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// source is how the service is told about the server.
func (s *server) source(t *testing.T) jwks.Source {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	return jwks.Source{URL: s.URL + "/openid/v1/jwks", CAFile: ca}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, keys jwks.Source, accounts ...string) *cluster.Cluster {
	t.Helper()
	parsed, err := cluster.ParseAccounts(accounts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Open(cluster.Config{
		Issuer: clustertest.Issuer, Audience: audience, Accounts: parsed, Keys: keys, Now: time.Now,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAPodIsTheServiceThatItsAccountIsMappedTo(t *testing.T) {
	s := newServer(t)
	c := open(t, s.source(t), "curfew/orders", "curfew/log-pipeline=logproc")
	for account, want := range map[string]string{"orders": "orders", "log-pipeline": "logproc"} {
		raw := s.Token(t, "curfew", account, audience)
		// A pod presents its token again and again, until the kubelet has another.
		for range 3 {
			if got, err := c.Service(t.Context(), raw); err != nil || got != want {
				t.Errorf("%s is %q, %v", account, got, err)
			}
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

func TestAnAccountThatIsNotMappedStandsForNothing(t *testing.T) {
	s := newServer(t)
	c := open(t, s.source(t), "curfew/orders")
	for _, of := range [][2]string{{"curfew", "default"}, {"default", "orders"}, {"curfew", "auth"}, {"curfew", "order"}} {
		if got, err := c.Service(t.Context(), s.Token(t, of[0], of[1], audience)); !errors.Is(err, cluster.ErrUnmapped) {
			t.Errorf("%v is %q, %v", of, got, err)
		}
	}
}

func TestEveryOtherTokenIsRefused(t *testing.T) {
	s := newServer(t)
	c := open(t, s.source(t), "curfew/orders")
	other := clustertest.New(t)
	now := time.Now()
	for what, change := range map[string]func(jwt.MapClaims){
		"for the API server":      func(m jwt.MapClaims) { m["aud"] = []string{"https://kubernetes.default.svc.cluster.local"} },
		"for nobody":              func(m jwt.MapClaims) { delete(m, "aud") },
		"of another cluster":      func(m jwt.MapClaims) { m["iss"] = "https://kubernetes.example" },
		"of a Secret, for ever":   func(m jwt.MapClaims) { delete(m, "exp") },
		"a day long":              func(m jwt.MapClaims) { m["exp"] = now.Add(24 * time.Hour).Unix() },
		"over":                    func(m jwt.MapClaims) { m["iat"], m["nbf"], m["exp"] = now.Unix()-700, now.Unix()-700, now.Unix()-100 },
		"of the future":           func(m jwt.MapClaims) { m["iat"], m["nbf"] = now.Unix()+300, now.Unix()+300 },
		"without nbf":             func(m jwt.MapClaims) { delete(m, "nbf") },
		"without sub":             func(m jwt.MapClaims) { delete(m, "sub") },
		"with a service as sub":   func(m jwt.MapClaims) { m["sub"] = "services/orders" },
		"an ID token of somebody": func(m jwt.MapClaims) { m["nonce"] = "n" },
	} {
		claims := s.Claims("curfew", "orders", audience)
		change(claims)
		if got, err := c.Service(t.Context(), s.Sign(t, claims)); !errors.Is(err, cluster.ErrRefused) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	good := s.Claims("curfew", "orders", audience)
	for what, raw := range map[string]string{
		"another cluster's key under this one's id": other.SignAs(t, s.KeyID(), jwt.SigningMethodRS256, other.Private(), good),
		"PS256 with the key of RS256":               s.SignAs(t, s.KeyID(), jwt.SigningMethodPS256, s.Private(), good),
		"HS256 with the public key":                 s.SignAs(t, s.KeyID(), jwt.SigningMethodHS256, s.PublicPEM(t), good),
		"none":                                      s.SignAs(t, s.KeyID(), jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"nothing":                                   "",
	} {
		if got, err := c.Service(t.Context(), raw); !errors.Is(err, cluster.ErrRefused) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	// Who has not asked for keys yet does so at once.
	if got, err := open(t, s.source(t), "curfew/orders").Service(t.Context(), other.Sign(t, good)); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("an unknown key: %q, %v", got, err)
	}
}

func TestTheClustersKeysMayBeEllipticAndMayChange(t *testing.T) {
	s := newServer(t)
	path := filepath.Join(t.TempDir(), "jwks.json")
	write(t, path, string(s.JWKS()))
	c := open(t, jwks.Source{File: path}, "curfew/orders")
	elliptic256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	next := clustertest.NewWith("elliptic", elliptic256)
	write(t, path, string(next.JWKS()))
	if got, err := c.Service(t.Context(), next.Token(t, "curfew", "orders", audience)); err != nil || got != "orders" {
		t.Errorf("with the new key: %q, %v", got, err)
	}
	c = open(t, jwks.Source{File: path}, "curfew/orders")
	if _, err := c.Service(t.Context(), s.Token(t, "curfew", "orders", audience)); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("with the key that is gone: %v", err)
	}
}

func TestTheBearerTokenForTheKeysIsReadAtEachFetch(t *testing.T) {
	s := newServer(t)
	first := "first"
	s.bearer.Store(&first)
	keys := s.source(t)
	keys.TokenFile = filepath.Join(t.TempDir(), "token")
	raw := s.Token(t, "curfew", "orders", audience)
	if _, err := open(t, keys, "curfew/orders").Service(t.Context(), raw); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("without the file: %v", err)
	}
	write(t, keys.TokenFile, "first\n")
	if _, err := open(t, keys, "curfew/orders").Service(t.Context(), raw); err != nil {
		t.Errorf("with the token: %v", err)
	}
	second := "second"
	s.bearer.Store(&second)
	if _, err := open(t, keys, "curfew/orders").Service(t.Context(), raw); !errors.Is(err, cluster.ErrUnavailable) || strings.Contains(err.Error(), "first") {
		t.Errorf("with an old token: %v", err)
	}
	write(t, keys.TokenFile, "second\n")
	if _, err := open(t, keys, "curfew/orders").Service(t.Context(), raw); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}

func TestAServerThatTheAuthorityDoesNotVouchForGivesNoKeys(t *testing.T) {
	s := newServer(t)
	keys := s.source(t)
	keys.CAFile = "" // what the system trusts
	if _, err := open(t, keys, "curfew/orders").Service(t.Context(), s.Token(t, "curfew", "orders", audience)); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("err = %v", err)
	}
}

func TestAnOutageOfTheAPIServerRefusesNobodyWhoseKeyIsKnown(t *testing.T) {
	s := newServer(t)
	c := open(t, s.source(t), "curfew/orders")
	if _, err := c.Service(t.Context(), s.Token(t, "curfew", "orders", audience)); err != nil {
		t.Fatal(err)
	}
	s.down.Store(true)
	if _, err := c.Service(t.Context(), s.Token(t, "curfew", "orders", audience)); err != nil {
		t.Errorf("a new token under a known key: %v", err)
	}
}

func TestAccountsAreReadStrictly(t *testing.T) {
	for _, list := range [][]string{
		nil,
		{""},
		{"orders"},
		{"/orders"},
		{"curfew/"},
		{"curfew/orders="},
		{"curfew/orders=services/orders"},
		{"Curfew/orders"},
		{"curfew/orders/x"},
		{"curfew:x/orders"},
		{"curfew/orders:x"},
		{"curfew/*"},
		{"curfew/a.b"},
		{"curfew/orders", "curfew/orders=logproc"},
	} {
		if a, err := cluster.ParseAccounts(list); err == nil {
			t.Errorf("%q was read as %v", list, a)
		}
	}
	if _, err := cluster.ParseAccounts([]string{"curfew/a.b=orders", "curfew/orders"}); err != nil {
		t.Error(err)
	}
}

func TestOneSourceOfKeysIsRequired(t *testing.T) {
	accounts, err := cluster.ParseAccounts([]string{"curfew/orders"})
	if err != nil {
		t.Fatal(err)
	}
	for what, keys := range map[string]jwks.Source{
		"none": {}, "two": {URL: "https://kubernetes.default.svc/openid/v1/jwks", File: "jwks.json"},
		"in the clear": {URL: "http://kubernetes.default.svc/openid/v1/jwks"},
		"no authority": {URL: "https://kubernetes.default.svc/openid/v1/jwks", CAFile: filepath.Join(t.TempDir(), "none")},
	} {
		cfg := cluster.Config{Issuer: clustertest.Issuer, Audience: audience, Accounts: accounts, Keys: keys, Now: time.Now}
		if c, err := cluster.Open(cfg, slog.New(slog.DiscardHandler)); err == nil {
			c.Close()
			t.Errorf("%s: opened", what)
		}
	}
}
