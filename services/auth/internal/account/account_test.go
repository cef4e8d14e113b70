package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

func TestAddressesAreComparedWithoutCaseAndForm(t *testing.T) {
	for in, want := range map[string]string{
		"Anna@Example.COM": "anna@example.com", "\tanna@example.com\n": "anna@example.com",
		"u\u0308ber@example.com": "über@example.com",
	} {
		if got, err := account.NormalizeEmail(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "anna", "@", "a@", "@b", "a b@example.com", "Anna <anna@example.com>", "a@b,c@d", "a@b\r\nBcc: c@d", "a\x00@b",
		strings.Repeat("a", 251) + "@b.c",
	} {
		if got, err := account.NormalizeEmail(in); !errors.Is(err, account.ErrEmailInvalid) {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
}

func FuzzNormalizeEmailIsIdempotent(f *testing.F) {
	f.Add("Anna@Example.COM")
	f.Add("\"a b\"@c")
	f.Add("İ@x")
	f.Fuzz(func(t *testing.T, in string) {
		once, err := account.NormalizeEmail(in)
		if err != nil {
			return
		}
		if twice, err := account.NormalizeEmail(once); err != nil || twice != once {
			t.Fatalf("%q, then %q, %v", once, twice, err)
		}
	})
}

func TestATokenPrintsItselfRedacted(t *testing.T) {
	const token = "eyJhbGciOi"
	tokens := account.Tokens{Access: token, Refresh: token}
	encoded, err := json.Marshal(tokens)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "tokens", tokens, "token", tokens.Access)
	for _, out := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %x", tokens, tokens, tokens, tokens.Access, tokens.Access, tokens.Access), string(encoded), log.String(),
	} {
		if strings.Contains(out, token) || strings.Contains(out, fmt.Sprintf("%x", token)) {
			t.Errorf("printed: %s", out)
		}
	}
}

func TestLimitsThatCannotWorkAreRefused(t *testing.T) {
	good := account.Limits{Window: 30 * time.Second, Idle: time.Hour, Absolute: 2 * time.Hour, Sessions: 5}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*account.Limits){
		"no window":            func(l *account.Limits) { l.Window = 0 },
		"idle below windows":   func(l *account.Limits) { l.Idle = time.Minute },
		"absolute below idle":  func(l *account.Limits) { l.Absolute = time.Minute },
		"no session":           func(l *account.Limits) { l.Sessions = 0 },
		"sessions without end": func(l *account.Limits) { l.Sessions = 1 << 20 },
	} {
		l := good
		change(&l)
		if l.Validate() == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}
