package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// hostile is one token that must be refused, and how.
type hostile struct {
	name string
	raw  string
	err  error
}

// forge is what the tables of hostile tokens are made with: a good token, and
// ways to change it. Signatures are right unless the name says otherwise, so
// that the test shows the one rule it is about.
type forge struct {
	t      *testing.T
	issuer *tokentest.Issuer
	now    int64
}

func (f forge) header(change tokentest.Claims) tokentest.Claims {
	return merged(tokentest.Claims{"alg": "EdDSA", "typ": "at+jwt", "kid": tokentest.KeyID}, change)
}

func (f forge) payload(change tokentest.Claims) tokentest.Claims {
	return merged(tokentest.Claims{
		"iss": f.issuer.URL, "aud": "curfew", "sub": "u1", "sid": "s1", "jti": "j1", "epoch": 1,
		"roles": []string{"customer"}, "acr": "aal1", "auth_time": f.now, "iat": f.now, "nbf": f.now, "exp": f.now + 300,
	}, change)
}

func merged(base, change tokentest.Claims) tokentest.Claims {
	maps.Copy(base, change)
	maps.DeleteFunc(base, func(_ string, v any) bool { return v == nil })
	return base
}

// withHeader is a signed token whose header is changed; nil removes a member.
func (f forge) withHeader(change tokentest.Claims) string {
	return f.issuer.Sign(f.t, f.header(change), f.payload(nil))
}

// withClaims is a signed token whose payload is changed; nil removes a member.
func (f forge) withClaims(change tokentest.Claims) string {
	return f.issuer.Sign(f.t, f.header(nil), f.payload(change))
}

// withText is a signed token whose payload has text spliced in at its start.
func (f forge) withText(members string) string {
	return f.issuer.SignText(f.text(f.header(nil)), "{"+members+","+f.text(f.payload(nil))[1:])
}

// withHeaderText splices members into the header.
func (f forge) withHeaderText(members string) string {
	return f.issuer.SignText("{"+members+","+f.text(f.header(nil))[1:], f.text(f.payload(nil)))
}

// withNumber writes a claim as the given JSON text.
func (f forge) withNumber(claim, number string) string {
	payload := f.payload(tokentest.Claims{claim: "MARK"})
	return f.issuer.SignText(f.text(f.header(nil)), strings.Replace(f.text(payload), `"MARK"`, number, 1))
}

func (f forge) text(c tokentest.Claims) string {
	data, err := json.Marshal(c)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

// parts are the three parts of a good token.
func (f forge) parts() (header, payload, signature string) {
	p := strings.Split(f.withClaims(nil), ".")
	return p[0], p[1], p[2]
}

// hmacSigned is a token "signed" with a secret, under any header.
func (f forge) hmacSigned(header tokentest.Claims, secret []byte) string {
	signed := b64(f.text(f.header(header))) + "." + b64(f.text(f.payload(nil)))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + b64(string(mac.Sum(nil)))
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func newForge(t *testing.T) (forge, *token.Verifier) {
	t.Helper()
	issuer := tokentest.New(t)
	return forge{t: t, issuer: issuer, now: time.Now().Unix()}, issuer.Verifier(t)
}

// What one refusal may cost at most: the bounds of package token on length,
// depth and number of values make it so, however the text is made.
const (
	costBytes  = 64 << 10
	costAllocs = 2000
)

// cost returns the memory that f takes, and in how many pieces.
func cost(f func()) (bytes, allocs uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// names of the tokens that were refused, if somebody counts them.
var names map[string]bool

// refuseAll verifies each token more than once: the second time must not come
// from the cache as a success.
func refuseAll(t *testing.T, v *token.Verifier, table []hostile) {
	t.Helper()
	const times = 10
	known := v.Stats()
	for _, tc := range table {
		t.Run(tc.name, func(t *testing.T) {
			if names != nil {
				names[t.Name()] = true
			}
			bytes, allocs := cost(func() {
				for range times {
					id, err := v.Verify(t.Context(), tc.raw)
					if id != nil || !errors.Is(err, tc.err) {
						t.Fatalf("got %v, %v; want %v", id, err, tc.err)
					}
					if tail := last(tc.raw, 12); len(tail) == 12 && strings.Contains(err.Error(), tail) {
						t.Fatalf("the error quotes the token: %v", err)
					}
				}
			})
			if bytes /= times; bytes > costBytes {
				t.Errorf("a refusal takes %d bytes", bytes)
			}
			if allocs /= times; allocs > costAllocs {
				t.Errorf("a refusal takes %d allocations", allocs)
			}
		})
	}
	if s := v.Stats(); s.Entries != known.Entries || s.Hits != known.Hits {
		t.Errorf("refused tokens are in the cache: %+v", s)
	}
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

func TestTheForgeMakesGoodTokens(t *testing.T) {
	f, v := newForge(t)
	for name, raw := range map[string]string{
		"unchanged":           f.withClaims(nil),
		"long media type":     f.withHeader(tokentest.Claims{"typ": "application/at+jwt"}),
		"upper-case type":     f.withHeader(tokentest.Claims{"typ": "AT+JWT"}),
		"list of audiences":   f.withClaims(tokentest.Claims{"aud": []string{"other", "curfew"}}),
		"service":             f.withClaims(tokentest.Claims{"sub": "services/orders"}),
		"no role":             f.withClaims(tokentest.Claims{"roles": []string{}}),
		"clock 4 s ahead":     f.withClaims(tokentest.Claims{"iat": f.now + 4, "nbf": f.now + 4, "auth_time": f.now + 4}),
		"4 s after its end":   f.withClaims(tokentest.Claims{"iat": f.now - 100, "exp": f.now - 3}),
		"unknown header name": f.withHeader(tokentest.Claims{"org": "x"}),
	} {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
