package token

import "testing"

// FuzzDiscovery: whatever a document says, keys come from a host that proves
// itself, and only for the issuer that was asked for.
func FuzzDiscovery(f *testing.F) {
	const issuer = "https://auth.example.org"
	for _, text := range []string{
		`{"issuer": "https://auth.example.org", "jwks_uri": "https://auth.example.org/keys"}`,
		`{"issuer": "https://auth.example.org", "issuer": "https://evil.example.org", "jwks_uri": "https://a/"}`,
		`{"issuer": "https://auth.example.org", "jwks_uri": "http://127.0.0.1:1/"}`,
		`{"issuer": "https://auth.example.org", "jwks_uri": "https://"}`,
		`{"issuer": ["https://auth.example.org"], "jwks_uri": {}}`,
		`null`, `{}`, `[`, "{\"issuer\": \"\xff\"}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		address, err := keysOf(data, issuer)
		if err != nil {
			return
		}
		if !secure(address) || address.Host == "" {
			t.Errorf("keys of %q", address)
		}
		if _, err := keysOf(data, issuer+"/other"); err == nil {
			t.Error("the same document is taken for two issuers")
		}
	})
}
