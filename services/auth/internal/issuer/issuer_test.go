package issuer_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
)

func config() issuer.Config {
	return issuer.Config{Issuer: "https://auth.curfew.dev", Audience: "curfew", Life: 5 * time.Minute, Roles: []string{"customer", "service"}}
}

// key is the only key.
type key struct{}

func (key) Primary(context.Context) (string, ed25519.PrivateKey, error) {
	return "kid", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), nil
}

func subject() issuer.Subject {
	at := time.Date(2026, 1, 2, 3, 4, 5, 999_000_000, time.UTC)
	return issuer.Subject{
		ID: "01890000-0000-7000-8000-000000000001", SessionID: "01890000-0000-7000-8000-000000000002",
		TokenID: "01890000-0000-7000-8000-000000000003", Epoch: 1, Roles: []string{"customer"}, ACR: "aal1",
		AuthTime: at, IssuedAt: at,
	}
}

func issue(t *testing.T, s issuer.Subject) (string, time.Time, error) {
	t.Helper()
	i, err := issuer.New(config(), key{})
	if err != nil {
		t.Fatal(err)
	}
	return i.Issue(t.Context(), s)
}

func TestTheSameSubjectGivesTheSameBytes(t *testing.T) {
	first, expires, err := issue(t, subject())
	if err != nil {
		t.Fatal(err)
	}
	if again, _, _ := issue(t, subject()); again != first {
		t.Error("two tokens of one subject differ")
	}
	// exp counts from the database's time, whole seconds, never rounded up.
	if want := time.Date(2026, 1, 2, 3, 9, 5, 0, time.UTC); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
}

// A token carries these claims and can carry no others.
func TestATokenSaysNothingAboutThePerson(t *testing.T) {
	allowed := []string{"acr", "aud", "auth_time", "epoch", "exp", "iat", "iss", "jti", "nbf", "roles", "sid", "sub"}
	token, _, err := issue(t, subject())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(allowed, slices.Sorted(maps.Keys(claims))); diff != "" {
		t.Error(diff)
	}
	typ := reflect.TypeFor[issuer.Claims]()
	for f := range typ.Fields() {
		if name := f.Tag.Get("json"); !slices.Contains(allowed, name) {
			t.Errorf("claim %q is not on the list", name)
		}
		if k := f.Type.Kind(); k == reflect.Map || k == reflect.Interface || k == reflect.Struct {
			t.Errorf("%s can hold anything", f.Name)
		}
	}
}

func TestPersonalDataIsRefusedWhereverItIsPut(t *testing.T) {
	for what, change := range map[string]func(*issuer.Subject){
		"an address as subject":    func(s *issuer.Subject) { s.ID = "anna@example.com" },
		"a name as subject":        func(s *issuer.Subject) { s.ID = "Anna Lee" },
		"a phone as subject":       func(s *issuer.Subject) { s.ID = "+82 10 1234 5678" },
		"a service with a path":    func(s *issuer.Subject) { s.ID = "services/orders/anna@example.com" },
		"an address as session":    func(s *issuer.Subject) { s.SessionID = "anna@example.com" },
		"an address as token id":   func(s *issuer.Subject) { s.TokenID = "anna@example.com" },
		"an address as role":       func(s *issuer.Subject) { s.Roles = []string{"anna@example.com"} },
		"a role that is not known": func(s *issuer.Subject) { s.Roles = []string{"anna"} },
		"an address as acr":        func(s *issuer.Subject) { s.ACR = "anna@example.com" },
		"no epoch":                 func(s *issuer.Subject) { s.Epoch = 0 },
		"no time":                  func(s *issuer.Subject) { s.IssuedAt = time.Time{} },
	} {
		s := subject()
		change(&s)
		if token, _, err := issue(t, s); !errors.Is(err, issuer.ErrShape) || token != "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, change := range map[string]func(*issuer.Config){
		"an address as issuer":   func(c *issuer.Config) { c.Issuer = "https://anna@example.com" },
		"an issuer without TLS":  func(c *issuer.Config) { c.Issuer = "http://example.com" },
		"an address as audience": func(c *issuer.Config) { c.Audience = "anna@example.com" },
		"an address as role":     func(c *issuer.Config) { c.Roles = []string{"anna@example.com"} },
		"a life of a day":        func(c *issuer.Config) { c.Life = 24 * time.Hour },
	} {
		c := config()
		change(&c)
		if _, err := issuer.New(c, key{}); err == nil {
			t.Errorf("%s was configured", what)
		}
	}
}
