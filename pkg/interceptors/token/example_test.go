package token_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Tokens of an OpenID Connect issuer are verified with the keys that it
// publishes. Here the issuer is a server of the example.
func ExampleOIDC() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	issuer := httptest.NewServer(nil)
	defer issuer.Close()
	issuer.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer.URL, issuer.URL+"/keys")
			return
		}
		public := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k1","x":%q}]}`, public)
	})

	fetch, err := token.Discover(issuer.URL, nil)
	if err != nil {
		panic(err)
	}
	keys, err := token.NewRemote(fetch, slog.New(slog.DiscardHandler), token.RemoteOptions{})
	if err != nil {
		panic(err)
	}
	defer keys.Close()
	profile := token.OIDC(issuer.URL, keys)
	profile.Audiences = []string{"orders"}
	profile.RolesClaim = []string{"realm_access", "roles"} // as Keycloak has it
	verifier, err := token.NewVerifier(profile)
	if err != nil {
		panic(err)
	}
	defer verifier.Close()

	verify := func(audience string) {
		unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"iss": issuer.URL, "sub": "alice", "aud": audience,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
			"realm_access": map[string]any{"roles": []string{"editor"}},
		})
		unsigned.Header["kid"] = "k1"
		raw, err := unsigned.SignedString(key)
		if err != nil {
			panic(err)
		}
		caller, err := verifier.Verify(context.Background(), raw)
		if err != nil {
			fmt.Println("for another audience:", errors.Is(err, token.ErrWrongAudience))
			return
		}
		fmt.Println(caller.Principal(), caller.Roles)
	}
	verify("orders")
	verify("billing")
	// Output:
	// users/alice [editor]
	// for another audience: true
}
