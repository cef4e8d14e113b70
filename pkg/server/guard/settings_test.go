package guard

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

func TestAServiceProvesItselfInExactlyOneWay(t *testing.T) {
	for what, c := range map[string]struct {
		key, token string
		good       bool
	}{
		"neither": {},
		"a key":   {key: keyFile(t), good: true},
		"a token": {token: "token", good: true},
		"both":    {key: keyFile(t), token: "token"},
	} {
		s := Settings{AuthAddr: "localhost:1", Issuer: token.CurfewIssuer, ServiceKeyFile: c.key, ServiceTokenFile: c.token}
		if err := s.Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestATokenOfThePlatformIsPresentedAsItStandsInItsFile(t *testing.T) {
	s := Settings{ServiceTokenFile: filepath.Join(t.TempDir(), "token")}
	if err := os.WriteFile(s.ServiceTokenFile, []byte("of the platform\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var sent token.Raw
	source := s.proof("orders", func(_ context.Context, assertion token.Raw) (creds.Token, error) {
		sent = assertion
		return creds.Token{Value: "access"}, nil
	})
	if _, err := source.Token(t.Context()); err == nil {
		t.Error("a file with spaces is no token")
	}
	if err := os.WriteFile(s.ServiceTokenFile, []byte("a.b.c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := source.Token(t.Context()); err != nil || got.Value != "access" || string(sent) != "a.b.c" {
		t.Errorf("got %v, %v", got, err)
	}
}

// What the settings name is looked at before anything is served: a service that
// cannot prove itself would start, and never be ready.
func TestSettingsThatCannotWorkAreRefusedByTheirFlag(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key := keyFile(t)
	for want, s := range map[string]Settings{
		"":                           {AuthAddr: "localhost:1, localhost:2", ServiceKeyFile: key},
		"--service-key-file: ":       {AuthAddr: "localhost:1", ServiceKeyFile: empty},
		"--auth-tls-ca":              {AuthAddr: "auth:1", ServiceKeyFile: key, AuthTLSCA: empty},
		"--auth-plaintext: ":         {AuthAddr: "auth:1", ServiceKeyFile: key},
		"--auth-addr: ":              {AuthAddr: "auth,other:1", ServiceKeyFile: key, AuthPlaintext: true},
		"--replica-id is longer":     {AuthAddr: "localhost:1", ServiceKeyFile: key, ReplicaID: strings.Repeat("x", 201)},
		"--issuer is required":       {AuthAddr: "localhost:1", ServiceKeyFile: key, Issuer: " "},
		"--auth-addr is required, a": {AuthAddr: "localhost:1,", ServiceKeyFile: key},
	} {
		if s.Issuer = strings.TrimSpace(cmp.Or(s.Issuer, token.CurfewIssuer)); want == "" {
			if err := s.Validate(); err != nil {
				t.Error(err)
			}
			continue
		}
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// keyFile is a key of a service.
func keyFile(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
