package creds_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsReadAgainForEveryRenewal(t *testing.T) {
	issuer := tokentest.New(t)
	path := filepath.Join(t.TempDir(), "token")
	source := creds.File(path)
	if _, err := source.Token(t.Context()); err == nil {
		t.Error("a missing file gave a token")
	}
	first, second := issuer.User(t, "u1", nil), issuer.User(t, "u1", nil)
	for _, raw := range []string{first, second} {
		write(t, path, raw+"\n")
		got, err := source.Token(t.Context())
		if err != nil || string(got.Value) != raw || time.Until(got.ExpiresAt) > 5*time.Minute || time.Until(got.ExpiresAt) < time.Minute {
			t.Errorf("got %v, %v", got, err)
		}
	}
	for name, text := range map[string]string{"empty": " \n", "two tokens": first + "\n" + second, "too long": strings.Repeat("a", 70<<10)} {
		write(t, path, text)
		if _, err := source.Token(t.Context()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	write(t, path, "opaque")
	if got, err := source.Token(t.Context()); err != nil || !got.ExpiresAt.IsZero() {
		t.Errorf("opaque: %v, %v", got, err)
	}
}

func keyFile(t *testing.T) (string, ed25519.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return path, public
}

func TestAServiceProvesItselfWithANewAssertionPerToken(t *testing.T) {
	path, public := keyFile(t)
	seen := map[string]bool{}
	source := creds.ServiceAssertion(creds.Assertion{Service: "orders", Audience: token.CurfewIssuer, KeyFile: path},
		func(_ context.Context, assertion token.Raw) (creds.Token, error) {
			parsed, err := jwt.Parse(string(assertion), func(tok *jwt.Token) (any, error) {
				if tok.Header["kid"] != creds.KeyID(public) {
					t.Errorf("kid %v", tok.Header["kid"])
				}
				return public, nil
			}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithAudience(token.CurfewIssuer), jwt.WithIssuer("services/orders"),
				jwt.WithSubject("services/orders"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
			if err != nil {
				t.Fatal(err)
			}
			claims := parsed.Claims.(jwt.MapClaims)
			seen[claims["jti"].(string)] = true
			if end, err := claims.GetExpirationTime(); err != nil || time.Until(end.Time) > time.Minute {
				t.Errorf("lives until %v, %v", end, err)
			}
			return creds.Token{Value: "access"}, nil
		})
	for range 3 {
		if got, err := source.Token(t.Context()); err != nil || got.Value != "access" {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d different ids in 3 assertions", len(seen))
	}
}

func TestTheAssertionInAFileIsReadAgainForEveryToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	var sent []string
	source := creds.FileAssertion(path, func(_ context.Context, assertion token.Raw) (creds.Token, error) {
		sent = append(sent, string(assertion))
		return creds.Token{Value: "access", ExpiresAt: time.Unix(1, 0)}, nil
	})
	if _, err := source.Token(t.Context()); err == nil || len(sent) != 0 {
		t.Errorf("without a file: %v, sent %d", err, len(sent))
	}
	for _, text := range []string{"first", "second"} {
		write(t, path, text+"\n")
		// The answer's end counts, not that of the file's token.
		if got, err := source.Token(t.Context()); err != nil || got.Value != "access" || !got.ExpiresAt.Equal(time.Unix(1, 0)) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if len(sent) != 2 || sent[0] != "first" || sent[1] != "second" {
		t.Errorf("sent %q", sent)
	}
}

func TestAServiceKeyThatIsNoneIsRefusedWithoutBeingShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	source := creds.ServiceAssertion(creds.Assertion{Service: "orders", KeyFile: path}, func(context.Context, token.Raw) (creds.Token, error) {
		t.Error("an assertion was made")
		return creds.Token{}, nil
	})
	for name, text := range map[string]string{
		"no PEM":       "s3cr3t",
		"wrong type":   "-----BEGIN EC PRIVATE KEY-----\nczNjcjN0\n-----END EC PRIVATE KEY-----\n",
		"wrong inside": "-----BEGIN PRIVATE KEY-----\nczNjcjN0\n-----END PRIVATE KEY-----\n",
	} {
		write(t, path, text)
		if _, err := source.Token(t.Context()); err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "czNj") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(t.Context()); err == nil {
		t.Error("no file: taken")
	}
}
