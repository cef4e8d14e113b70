package token

import (
	"encoding/base64"
	"strings"
)

const (
	// MaxBytes is the longest token that is looked at.
	MaxBytes        = 8 << 10
	maxHeaderBytes  = 1 << 10
	maxPayloadBytes = 6 << 10
	maxKeyIDBytes   = 128
)

// strict refuses padding, line breaks and non-zero trailing bits: each value
// has exactly one spelling, so a token has exactly one text.
var strict = base64.RawURLEncoding.Strict()

// compact is a token taken apart and not yet believed.
type compact struct {
	signed    string // header.payload, what the signature covers
	header    header
	claims    map[string]any
	signature []byte
}

// header holds the only three members that may matter.
type header struct{ alg, typ, kid string }

// forbidden members would let a token name, carry or change the way to its key
// or its payload (RFC 7515 4.1, RFC 7797, RFC 8725 3.10), or are not
// understood here and marked as critical.
var forbidden = []string{"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty", "epk", "apu", "apv", "p2s", "p2c"}

func parse(raw string) (*compact, error) {
	if len(raw) > MaxBytes {
		return nil, malformed("too long")
	}
	rest, sig, ok := cutLast(raw)
	if !ok {
		return nil, malformed("not three parts")
	}
	head, body, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(body, ".") {
		return nil, malformed("not three parts")
	}
	headMembers, err := part(head, maxHeaderBytes, "header")
	if err != nil {
		return nil, err
	}
	c := &compact{signed: rest}
	if c.header, err = parseHeader(headMembers); err != nil {
		return nil, err
	}
	if c.claims, err = part(body, maxPayloadBytes, "payload"); err != nil {
		return nil, err
	}
	if c.signature, err = decode(sig); err != nil || len(c.signature) == 0 {
		return nil, malformed("signature encoding")
	}
	return c, nil
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// decode refuses what base64.Strict still skips over: CR and LF.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, malformed("line break")
	}
	return strict.DecodeString(s)
}

func part(text string, limit int, name string) (map[string]any, error) {
	data, err := decode(text)
	if err != nil {
		return nil, malformed(name + " encoding")
	}
	if len(data) > limit {
		return nil, malformed(name + " too long")
	}
	members, err := object(data)
	if err != nil {
		return nil, malformed(name + ": " + err.Error())
	}
	return members, nil
}

func parseHeader(members map[string]any) (header, error) {
	for _, name := range forbidden {
		if _, found := members[name]; found {
			return header{}, malformed("forbidden header " + name)
		}
	}
	var h header
	var ok bool
	if h.alg, ok = members["alg"].(string); !ok {
		return header{}, malformed("no algorithm")
	}
	if typ, found := members["typ"]; found {
		if h.typ, ok = typ.(string); !ok {
			return header{}, malformed("type is no string")
		}
	}
	if h.kid, ok = members["kid"].(string); !ok || !printable(h.kid, maxKeyIDBytes) {
		return header{}, malformed("no usable key id")
	}
	return h, nil
}

// printable tells whether s is 1 to limit bytes of ASCII without spaces,
// quotes, backslashes and controls: fit for a map key, a log line and a name.
func printable(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\'' || c == '\\' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}
