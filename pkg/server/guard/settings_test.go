package guard

import (
	"context"
	"os"
	"path/filepath"
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
		"a key":   {key: "key.pem", good: true},
		"a token": {token: "token", good: true},
		"both":    {key: "key.pem", token: "token"},
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
