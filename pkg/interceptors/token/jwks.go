package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
)

const (
	maxSetBytes = 256 << 10
	maxSetKeys  = 100
)

// ParseSet reads a JWK Set (RFC 7517). It leaves out keys that cannot verify
// access tokens: symmetric keys, keys for encryption, unknown curves, weak
// keys, and keys without an id. It also leaves out all keys that share an id,
// because it would depend on the reader which of them is meant. It is an error
// if no key is left, or if the set has more than 256 KiB or 100 keys.
func ParseSet(data []byte) ([]Key, error) {
	if len(data) > maxSetBytes {
		return nil, errors.New("jwk set: too long")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("jwk set: %w", err)
	}
	if len(set.Keys) > maxSetKeys {
		return nil, errors.New("jwk set: too many keys")
	}
	count := map[string]int{}
	var usable []Key
	for _, raw := range set.Keys {
		k, ok := parseKey(raw)
		if !ok {
			continue
		}
		count[k.ID]++
		usable = append(usable, k)
	}
	var out []Key
	for _, k := range usable {
		if count[k.ID] == 1 {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("jwk set: no usable key")
	}
	return out, nil
}

func parseKey(raw json.RawMessage) (Key, bool) {
	jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipX5UScheme: true})
	if err != nil {
		return Key{}, false
	}
	m := jwk.Marshal()
	if m.USE != "" && m.USE != jwkset.UseSig {
		return Key{}, false
	}
	k := Key{ID: m.KID, Algorithm: m.ALG.String(), Public: jwk.Key()}
	if _, symmetric := k.Public.([]byte); symmetric {
		return Key{}, false
	}
	if k.Algorithm == "" {
		k.Algorithm = naturalAlgorithm(k.Public)
	}
	return k, k.check() == nil
}

// naturalAlgorithm is for sets that do not name the algorithm of a key.
func naturalAlgorithm(public any) string {
	switch p := public.(type) {
	case ed25519.PublicKey:
		return EdDSA
	case *ecdsa.PublicKey:
		if p.Curve.Params().BitSize == 384 {
			return ES384
		}
		return ES256
	case *rsa.PublicKey:
		return RS256
	default:
		return ""
	}
}
