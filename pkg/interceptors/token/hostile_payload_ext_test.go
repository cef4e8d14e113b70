package token_test

import (
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// RFC 9068 2.2 and 4, RFC 8725 3.8 to 3.10.
func TestTokensWithAMissingClaimAreRefused(t *testing.T) {
	f, v := newForge(t)
	var table []hostile
	for _, claim := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "epoch", "roles", "acr", "auth_time"} {
		table = append(table, hostile{"no " + claim, f.withClaims(tokentest.Claims{claim: nil}), token.ErrMalformed})
	}
	refuseAll(t, v, table)
}

func TestTokensWithAClaimOfTheWrongKindAreRefused(t *testing.T) {
	f, v := newForge(t)
	var table []hostile
	for _, claim := range []string{"iss", "sub", "jti", "sid", "acr"} {
		for name, value := range map[string]any{
			"empty": "", "number": 1, "list": []string{"u1"}, "object": map[string]any{}, "bool": true,
			"nul": "u\x00", "line break": "u\n1", "space": "u 1", "quote": `u"1`, "markup": "<b>", "not ASCII": "ü1",
		} {
			table = append(table, hostile{claim + " is " + name, f.withClaims(tokentest.Claims{claim: value}), token.ErrMalformed})
		}
		table = append(table, hostile{claim + " is null", f.withNumber(claim, "null"), token.ErrMalformed})
	}
	for name, roles := range map[string]any{
		"text": "admin", "number": 1, "object": map[string]any{"admin": true}, "nested": []any{[]any{"admin"}},
		"mixed": []any{"customer", 1}, "empty name": []string{""}, "too many": strings.Split(strings.Repeat("r ", 65)+"r", " "),
	} {
		table = append(table, hostile{"roles are " + name, f.withClaims(tokentest.Claims{"roles": roles}), token.ErrMalformed})
	}
	refuseAll(t, v, table)
}

func TestTokensThatPretendToBeSomebodyElseAreRefused(t *testing.T) {
	f, v := newForge(t)
	refuseAll(t, v, []hostile{
		{"sub with a path", f.withClaims(tokentest.Claims{"sub": "u1/orders"}), token.ErrMalformed},
		{"sub of all users", f.withClaims(tokentest.Claims{"sub": "-"}), token.ErrMalformed},
		{"sub with dots", f.withClaims(tokentest.Claims{"sub": ".."}), token.ErrMalformed},
		{"sub of a service with a path", f.withClaims(tokentest.Claims{"sub": "services/a/b"}), token.ErrMalformed},
		{"sub of no service", f.withClaims(tokentest.Claims{"sub": "services/"}), token.ErrMalformed},
		{"sub with the collection", f.withClaims(tokentest.Claims{"sub": "users/u1"}), token.ErrMalformed},
		{"sub too long", f.withClaims(tokentest.Claims{"sub": strings.Repeat("u", 129)}), token.ErrMalformed},
		{"another issuer", f.withClaims(tokentest.Claims{"iss": "https://evil.example"}), token.ErrMalformed},
		{"issuer with a slash more", f.withClaims(tokentest.Claims{"iss": f.issuer.URL + "/"}), token.ErrMalformed},
		{"issuer in upper case", f.withClaims(tokentest.Claims{"iss": strings.ToUpper(f.issuer.URL)}), token.ErrMalformed},
		{"claim names in upper case", f.withClaims(tokentest.Claims{"sub": nil, "SUB": "u1"}), token.ErrMalformed},
		{"cnf, which we do not check", f.withClaims(tokentest.Claims{"cnf": map[string]any{"x5t#S256": "x"}}), token.ErrMalformed},
		{"act", f.withClaims(tokentest.Claims{"act": map[string]any{"sub": "u2"}}), token.ErrMalformed},
		{"e-mail", f.withClaims(tokentest.Claims{"email": "a@example.org"}), token.ErrMalformed},
		{"id token", f.withClaims(tokentest.Claims{"nonce": "n"}), token.ErrMalformed},
	})
}

func TestTokensForSomebodyElseAreRefusedAsSuch(t *testing.T) {
	f, v := newForge(t)
	refuseAll(t, v, []hostile{
		{"one other", f.withClaims(tokentest.Claims{"aud": "other"}), token.ErrWrongAudience},
		{"many others", f.withClaims(tokentest.Claims{"aud": []string{"a", "b"}}), token.ErrWrongAudience},
		{"none", f.withClaims(tokentest.Claims{"aud": []string{}}), token.ErrWrongAudience},
		{"longer", f.withClaims(tokentest.Claims{"aud": "curfew.evil.example"}), token.ErrWrongAudience},
		{"upper case", f.withClaims(tokentest.Claims{"aud": "CURFEW"}), token.ErrWrongAudience},
		{"empty", f.withClaims(tokentest.Claims{"aud": ""}), token.ErrMalformed},
		{"object", f.withClaims(tokentest.Claims{"aud": map[string]any{"curfew": true}}), token.ErrMalformed},
		{"number in the list", f.withClaims(tokentest.Claims{"aud": []any{"curfew", 1}}), token.ErrMalformed},
		{"list in the list", f.withClaims(tokentest.Claims{"aud": []any{[]any{"curfew"}}}), token.ErrMalformed},
		{"too many", f.withClaims(tokentest.Claims{"aud": strings.Split(strings.Repeat("curfew ", 17)+"x", " ")}), token.ErrMalformed},
	})
}

func TestTokensOutOfTheirTimeAreRefused(t *testing.T) {
	f, v := newForge(t)
	past := tokentest.Claims{"iat": f.now - 600, "nbf": f.now - 600, "auth_time": f.now - 600, "exp": f.now - 300}
	refuseAll(t, v, []hostile{
		{"expired", f.withClaims(past), token.ErrExpired},
		{"expired by the leeway", f.withClaims(tokentest.Claims{"iat": f.now - 100, "exp": f.now - 6}), token.ErrExpired},
		{"not yet", f.withClaims(tokentest.Claims{"nbf": f.now + 60}), token.ErrMalformed},
		{"issued in the future", f.withClaims(tokentest.Claims{"iat": f.now + 60, "exp": f.now + 120}), token.ErrMalformed},
		{"authenticated in the future", f.withClaims(tokentest.Claims{"auth_time": f.now + 60}), token.ErrMalformed},
		{"ends before it begins", f.withClaims(tokentest.Claims{"exp": f.now - 1}), token.ErrMalformed},
		{"no life", f.withClaims(tokentest.Claims{"exp": f.now}), token.ErrMalformed},
		{"longer than rules are kept", f.withClaims(tokentest.Claims{"exp": f.now + 3601}), token.ErrMalformed},
		{"for ever", f.withNumber("exp", "253402300800"), token.ErrMalformed},
		{"expired and for another audience", f.withClaims(merged(tokentest.Claims{"aud": "other"}, past)), token.ErrWrongAudience},
		{"expired and unsigned", f.withClaims(past)[:80] + "x" + f.withClaims(past)[81:], token.ErrMalformed},
	})
}

func TestNumbersThatParsersReadDifferentlyAreRefused(t *testing.T) {
	f, v := newForge(t)
	var table []hostile
	for _, claim := range []string{"exp", "iat", "nbf", "auth_time", "epoch"} {
		for _, number := range []string{
			"1.5", "1.0", "1e3", "1E3", "-1", "-0", "0.1e1", "9223372036854775808", "1e400", "99999999999999999999999", `"1"`, "true", "[1]", "{}", "null",
		} {
			table = append(table, hostile{claim + " " + number, f.withNumber(claim, number), token.ErrMalformed})
		}
	}
	refuseAll(t, v, table)
}

func TestPayloadsThatParsersReadDifferentlyAreRefused(t *testing.T) {
	f, v := newForge(t)
	head := f.text(f.header(nil))
	body := f.text(f.payload(nil))
	raw := func(payload string) string { return f.issuer.SignText(head, payload) }
	refuseAll(t, v, []hostile{
		{"sub twice", f.withText(`"sub":"admin"`), token.ErrMalformed},
		{"sub twice, the same", f.withText(`"sub":"u1"`), token.ErrMalformed},
		{"sub twice, one escaped", f.withText(`"\u0073ub":"admin"`), token.ErrMalformed},
		{"exp twice", f.withText(`"exp":9999999999`), token.ErrMalformed},
		{"duplicates below an unknown claim", f.withText(`"x":{"a":1,"a":2}`), token.ErrMalformed},
		{"trailing object", raw(body + "{}"), token.ErrMalformed},
		{"trailing brace", raw(body + "}"), token.ErrMalformed},
		{"trailing NUL", raw(body + "\x00"), token.ErrMalformed},
		{"byte order mark", raw("\ufeff" + body), token.ErrMalformed},
		{"array around it", raw("[" + body + "]"), token.ErrMalformed},
		{"a string", raw(`"sub"`), token.ErrMalformed},
		{"null", raw("null"), token.ErrMalformed},
		{"empty", raw(""), token.ErrMalformed},
		{"empty object", raw("{}"), token.ErrMalformed},
		{"cut off", raw(body[:len(body)-1]), token.ErrMalformed},
		{"comment", raw("{/* */" + body[1:]), token.ErrMalformed},
		{"trailing comma", raw(body[:len(body)-1] + ",}"), token.ErrMalformed},
		{"single quotes", raw(strings.ReplaceAll(body, `"`, "'")), token.ErrMalformed},
		{"invalid UTF-8", raw(strings.Replace(body, "u1", "u\xff", 1)), token.ErrMalformed},
		{"UTF-16", raw("\xff\xfe{\x00}\x00"), token.ErrMalformed},
		{"unpaired surrogate", raw(strings.Replace(body, "u1", `\ud800`, 1)), token.ErrMalformed},
		{"deep nesting", f.withText(`"x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500)), token.ErrMalformed},
		{"deep objects", f.withText(`"x":` + strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300)), token.ErrMalformed},
		{"many members", f.withText(strings.TrimSuffix(strings.Repeat(`"x":1,`, 600), ",")), token.ErrMalformed},
		{"many elements", f.withText(`"x":[` + strings.TrimSuffix(strings.Repeat("1,", 1000), ",") + "]"), token.ErrMalformed},
		{"a long string", f.withText(`"x":"` + strings.Repeat("a", 7000) + `"`), token.ErrMalformed},
	})
}
