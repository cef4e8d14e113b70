package token_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAVerifiedTokenIsRememberedUntilItExpires(t *testing.T) {
	issuer := tokentest.New(t)
	var offset atomic.Int64
	v, err := token.Options{Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }}.
		NewVerifier(token.Curfew(issuer.URL, issuer.Keys(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	raw := issuer.User(t, "u1", nil)
	first, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	second, err := v.Verify(t.Context(), raw)
	if err != nil || first != second {
		t.Errorf("got %p, %v; want %p from the cache", second, err, first)
	}
	if s := v.Stats(); s.Hits != 1 || s.Misses != 1 {
		t.Errorf("stats %+v", s)
	}
	offset.Store(int64(306 * time.Second))
	if _, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrExpired) {
		t.Errorf("a cached token after its end: %v", err)
	}
}

// shifting keys are gone from one moment to the next.
type shifting struct {
	token.Keys
	gone atomic.Bool
}

func (s *shifting) Key(ctx context.Context, kid string) (string, crypto.PublicKey, error) {
	if s.gone.Load() {
		return "", nil, token.ErrUnknownKey
	}
	return s.Keys.Key(ctx, kid)
}

func TestWithoutACacheTheKeysOfTheMomentCount(t *testing.T) {
	issuer := tokentest.New(t)
	for _, o := range []token.Options{{}, {Uncached: true}} {
		keys := &shifting{Keys: issuer.Keys(t)}
		v, err := o.NewVerifier(token.Curfew(issuer.URL, keys))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		raw := issuer.User(t, "u1", nil)
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
		keys.gone.Store(true)
		if _, err := v.Verify(t.Context(), raw); (err == nil) == o.Uncached {
			t.Errorf("%+v, after the key is gone: %v", o, err)
		}
		if s := v.Stats(); (s == token.Stats{}) != o.Uncached {
			t.Errorf("%+v: stats %+v", o, s)
		}
	}
	if _, err := (token.Options{Uncached: true, CacheBytes: 1}).NewVerifier(token.Curfew(issuer.URL, issuer.Keys(t))); err == nil {
		t.Error("no cache has bounds")
	}
}

func TestTheCacheIsKeyedByTheWholeToken(t *testing.T) {
	issuer := tokentest.New(t)
	v := issuer.Verifier(t)
	raw := issuer.User(t, "u1", nil)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := raw[:i] + "A" + raw[i+1:]
		if changed == raw {
			continue
		}
		if _, err := v.Verify(t.Context(), changed); err == nil {
			t.Fatalf("a token that differs at byte %d was accepted", i)
		}
	}
}

func TestATokenPrintsItselfRedacted(t *testing.T) {
	const text = "eyJhbGciOiJFZERTQSJ9.payload.signature"
	raw := token.Raw(text)
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "token", raw, "in", struct{ T token.Raw }{raw}, "list", []token.Raw{raw})
	asJSON, err := json.Marshal(map[string]any{"t": raw, "p": &raw})
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{
		log.String(), string(asJSON), fmt.Sprint(raw), fmt.Sprintf("%s %q %x %v %+v %#v %d", raw, raw, raw, raw, raw, raw, raw),
		fmt.Sprintf("%v %+v", struct{ T token.Raw }{raw}, []token.Raw{raw}), fmt.Errorf("token %v", raw).Error(),
	}
	for _, p := range printed {
		if strings.Contains(p, "eyJ") || strings.Contains(p, "signature") || strings.Contains(p, "65794a") {
			t.Errorf("printed: %s", p)
		}
	}
}

func TestTheDescriptionNamesWhatIsRequired(t *testing.T) {
	d := tokentest.New(t).Verifier(t).Describe()
	for _, part := range []string{"curfew", token.CurfewIssuer, "EdDSA", "at+jwt", "epoch", "leeway=5s"} {
		if !strings.Contains(d, part) {
			t.Errorf("%q lacks %q", d, part)
		}
	}
}

func TestAnAlgorithmThatTheProfileDoesNotAllowIsRefusedWhateverTheKeysAre(t *testing.T) {
	m := newFamily(t)
	keys, err := token.NewStatic(
		token.Key{ID: "ed", Algorithm: token.EdDSA, Public: m.f.issuer.Public()},
		token.Key{ID: "ec", Algorithm: token.ES256, Public: &m.ec.PublicKey},
		token.Key{ID: "hs", Algorithm: token.HS256, Public: m.secret},
	)
	if err != nil {
		t.Fatal(err)
	}
	p := token.Curfew(m.f.issuer.URL, keys)
	p.Algorithms = []string{token.EdDSA}
	v, err := token.NewVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if _, err := v.Verify(t.Context(), m.signed(t, token.EdDSA, "ed")); err != nil {
		t.Errorf("the algorithm of the profile: %v", err)
	}
	for _, alg := range []string{token.ES256, token.HS256} {
		if _, err := v.Verify(t.Context(), m.signed(t, alg, ownKeys[alg])); !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestATokenAndItsHeaderAreBounded(t *testing.T) {
	f, v := newForge(t)
	// Everything else about them is right.
	header := func(n int) string { return f.withHeader(map[string]any{"x": strings.Repeat("x", n)}) }
	roles := slices.Repeat([]string{strings.Repeat("r", 118)}, 48)
	whole := func(n int) string {
		return f.withClaims(map[string]any{"roles": append(roles, strings.Repeat("r", n))})
	}
	n := 1
	for len(whole(n+1)) <= token.MaxBytes {
		n++
	}
	for name, good := range map[string]string{"header": header(900), "whole": whole(n)} {
		if _, err := v.Verify(t.Context(), good); err != nil {
			t.Errorf("%s of a token of %d bytes: %v", name, len(good), err)
		}
	}
	for name, bad := range map[string]string{"header": header(1024), "whole": whole(n + 1)} {
		if _, err := v.Verify(t.Context(), bad); !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%s of a token of %d bytes: %v", name, len(bad), err)
		}
	}
}
