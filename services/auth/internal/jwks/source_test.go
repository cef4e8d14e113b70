package jwks_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/services/auth/internal/jwks"
)

// net/http reads the proxy from the environment once.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "", "no_proxy": ""} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// publisher shows a set, and a discovery document that names it.
type publisher struct {
	*httptest.Server
	mu     sync.Mutex
	kids   []string
	bearer string // that must be shown
	asked  []string
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{kids: []string{"one"}}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked = append(p.asked, r.URL.Path)
		switch {
		case p.bearer != "" && r.Header.Get("Authorization") != "Bearer "+p.bearer:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/.well-known/openid-configuration":
			_, _ = fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, p.URL, p.URL+"/keys")
		default:
			_, _ = w.Write([]byte(set(p.kids...)))
		}
	}))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func set(kids ...string) string {
	var list []string
	for _, kid := range kids {
		seed := make([]byte, ed25519.SeedSize)
		copy(seed, kid)
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		list = append(list, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, kid, base64.RawURLEncoding.EncodeToString(public)))
	}
	return `{"keys":[` + strings.Join(list, ",") + `]}`
}

// ca is a file with the certificate of the publisher.
func (p *publisher) ca(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.crt")
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})))
	return path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// find opens the source and looks for a key.
func find(t *testing.T, s jwks.Source, kid string) error {
	t.Helper()
	keys, err := s.Open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	_, _, err = keys.Key(t.Context(), kid)
	return err
}

func TestKeysAreFoundInEachWay(t *testing.T) {
	p := newPublisher(t)
	ca := p.ca(t)
	file := filepath.Join(t.TempDir(), "jwks.json")
	write(t, file, set("one"))
	for _, s := range []jwks.Source{
		{URL: p.URL + "/keys", CAFile: ca},
		{Discover: p.URL, CAFile: ca},
		{File: file},
		{URL: p.URL + "/keys", CAFile: ca, Outside: true},
	} {
		if err := find(t, s, "one"); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if err := find(t, s, "two"); !errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for what, s := range map[string]jwks.Source{
		"a server that the authorities do not vouch for": {URL: p.URL + "/keys"},
		"an issuer that they do not vouch for":           {Discover: p.URL},
		"no file":                                        {File: file + ".none"},
	} {
		if err := find(t, s, "one"); !errors.Is(err, token.ErrKeysUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	write(t, file, set("one")+strings.Repeat(" ", 300<<10))
	if err := find(t, jwks.Source{File: file}, "one"); !errors.Is(err, token.ErrKeysUnavailable) {
		t.Errorf("a file without end: %v", err)
	}
}

func TestASourceThatIsNotOneIsRefusedAtTheStart(t *testing.T) {
	p := newPublisher(t)
	ca := p.ca(t)
	empty := filepath.Join(t.TempDir(), "empty")
	write(t, empty, "")
	for what, s := range map[string]jwks.Source{
		"none":                         {},
		"two":                          {URL: p.URL, File: "jwks.json"},
		"two of the network":           {URL: p.URL, Discover: p.URL},
		"in the clear":                 {URL: "http://keys.example.org/jwks"},
		"an issuer in the clear":       {Discover: "http://id.example.org"},
		"authorities that are missing": {URL: p.URL, CAFile: ca + ".none"},
		"authorities that are none":    {URL: p.URL, CAFile: empty},
		"authorities of a file":        {File: "jwks.json", CAFile: ca},
		"a bearer token for a file":    {File: "jwks.json", TokenFile: "token"},
		"a bearer token for who knows": {Discover: p.URL, TokenFile: "token"},
	} {
		if keys, err := s.Open(slog.New(slog.DiscardHandler)); err == nil {
			keys.Close()
			t.Errorf("%s: opened", what)
		}
	}
}

func TestTheBearerTokenIsReadAtEachFetch(t *testing.T) {
	p := newPublisher(t)
	p.bearer = "first"
	s := jwks.Source{URL: p.URL + "/keys", CAFile: p.ca(t), TokenFile: filepath.Join(t.TempDir(), "token")}
	if err := find(t, s, "one"); !errors.Is(err, token.ErrKeysUnavailable) || len(p.asked) != 0 {
		t.Errorf("without the file: %v, asked for %v", err, p.asked)
	}
	for _, text := range []string{"", "first second", "first\r\nx: y"} {
		write(t, s.TokenFile, text)
		if err := find(t, s, "one"); !errors.Is(err, token.ErrKeysUnavailable) || len(p.asked) != 0 || strings.Contains(err.Error(), "first") {
			t.Errorf("%q: %v, asked for %v", text, err, p.asked)
		}
	}
	write(t, s.TokenFile, "first\n")
	if err := find(t, s, "one"); err != nil {
		t.Errorf("with the token: %v", err)
	}
	p.bearer = "second"
	if err := find(t, s, "one"); !errors.Is(err, token.ErrKeysUnavailable) || strings.Contains(err.Error(), "first") {
		t.Errorf("with an old token: %v", err)
	}
	write(t, s.TokenFile, "second\n")
	if err := find(t, s, "one"); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}
