package token_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

func TestTokensInAnotherSpellingAreRefused(t *testing.T) {
	f, v := newForge(t)
	head, body, sig := f.parts()
	good := head + "." + body + "." + sig
	std := func(part string) string {
		data, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(data)
	}
	refuseAll(t, v, []hostile{
		{"nothing", "", token.ErrMalformed},
		{"one part", head, token.ErrMalformed},
		{"two parts", head + "." + body, token.ErrMalformed},
		{"four parts", good + ".x", token.ErrMalformed},
		{"five parts, like a JWE", good + ".x.y", token.ErrMalformed},
		{"only dots", "..", token.ErrMalformed},
		{"empty header", "." + body + "." + sig, token.ErrMalformed},
		{"empty payload", head + ".." + sig, token.ErrMalformed},
		{"padding", head + "." + body + "." + sig + "==", token.ErrMalformed},
		{"padded payload", head + "." + body + "=." + sig, token.ErrMalformed},
		{"standard alphabet", head + "." + body + "." + std(sig), token.ErrMalformed},
		{"other trailing bits", head + "." + body + "." + otherTail(sig), token.ErrMalformed},
		{"line break in the signature", head + "." + body + "." + sig[:10] + "\n" + sig[10:], token.ErrMalformed},
		{"carriage return in the payload", head + "." + body[:4] + "\r\n" + body[4:] + "." + sig, token.ErrMalformed},
		{"leading space", " " + good, token.ErrMalformed},
		{"trailing space", good + " ", token.ErrMalformed},
		{"trailing NUL", good + "\x00", token.ErrMalformed},
		{"percent encoding", strings.Replace(good, ".", "%2E", 1), token.ErrMalformed},
		{"JSON serialization", `{"payload":"` + body + `","protected":"` + head + `","signature":"` + sig + `"}`, token.ErrMalformed},
		{"8 KiB and one byte", strings.Repeat("a", token.MaxBytes+1), token.ErrMalformed},
		{"a megabyte", strings.Repeat("a.", 1<<19), token.ErrMalformed},
		{"a large header", b64(`{"alg":"EdDSA","x":"`+strings.Repeat("x", 2000)+`"}`) + "." + body + "." + sig, token.ErrMalformed},
		{"a large payload", f.withText(`"x":"` + strings.Repeat("a", 6100) + `"`), token.ErrMalformed},
	})
}

// otherTail changes the bits that base64 throws away.
func otherTail(sig string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, sig[len(sig)-1])
	return sig[:len(sig)-1] + string(alphabet[i^1])
}

func TestTokensWithAnotherSignatureAreRefused(t *testing.T) {
	f, v := newForge(t)
	head, body, sig := f.parts()
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	with := func(signature []byte) string { return head + "." + body + "." + b64(string(signature)) }
	flipped := func(i int) []byte {
		out := append([]byte(nil), raw...)
		out[i] ^= 1
		return out
	}
	other := tokentest.New(t)
	refuseAll(t, v, []hostile{
		{"of another key", other.Sign(t, f.header(nil), f.payload(nil)), token.ErrMalformed},
		{"of another payload", strings.Join([]string{head, b64(f.text(f.payload(tokentest.Claims{"sub": "admin"}))), sig}, "."), token.ErrMalformed},
		{"first bit flipped", with(flipped(0)), token.ErrMalformed},
		{"last bit flipped", with(flipped(63)), token.ErrMalformed},
		{"zeros", with(make([]byte, 64)), token.ErrMalformed},
		{"one byte short", with(raw[:63]), token.ErrMalformed},
		{"one byte long", with(append(raw[:64:64], 0)), token.ErrMalformed},
		{"one byte", with([]byte{0}), token.ErrMalformed},
		{"a kilobyte", with(make([]byte, 1024)), token.ErrMalformed},
		{"malleated: S + L (RFC 8032 5.1.7)", with(malleated(raw)), token.ErrMalformed},
	})
}

// malleated returns R, S+L: right modulo the group order, and another text.
func malleated(sig []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).SetBytes(reversed(sig[32:]))
	s.Add(s, order)
	return append(append([]byte(nil), sig[:32]...), reversed(s.FillBytes(make([]byte, 32)))...)
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

func TestASignatureThatFitsEveryMessageOfASmallOrderKeyIsNeverAsked(t *testing.T) {
	identity := make([]byte, ed25519.PublicKeySize)
	identity[0] = 1
	if !ed25519.Verify(identity, []byte("anything"), append(append([]byte(nil), identity...), make([]byte, 32)...)) {
		t.Fatal("the attack does not work, so this test shows nothing")
	}
	if _, err := token.NewStatic(token.Key{ID: "k", Algorithm: token.EdDSA, Public: ed25519.PublicKey(identity)}); err == nil {
		t.Error("a key of small order was taken")
	}
}
