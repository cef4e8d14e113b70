package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	wellKnown        = "/.well-known/openid-configuration"
	maxDocumentBytes = 256 << 10
)

// Discover returns a [Fetch] for an issuer that publishes where its keys are
// (OpenID Connect Discovery 1.0). Each fetch reads the discovery document of
// the issuer and then the JWK Set that the document names, so a set that moves
// is found at the next refresh.
//
// issuer is also `iss` of the tokens, and the document must name exactly this
// issuer: otherwise it would bring the keys of another one. Both addresses must
// be https, or http on loopback, for tests. client may be nil. Redirects are
// not followed.
func Discover(issuer string, client *http.Client) (Fetch, error) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("issuer address: %w", err)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil || u.Opaque != "":
		return nil, errors.New("issuer address: has a query, a fragment or a user")
	case !secure(u):
		return nil, errors.New("issuer address: neither https nor loopback")
	}
	document := strings.TrimSuffix(issuer, "/") + wellKnown
	g := newGetter(client)
	return func(ctx context.Context) ([]byte, error) {
		data, err := g.get(ctx, document, "application/json", maxDocumentBytes)
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		address, err := keysOf(data, issuer)
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		// Only an issuer of this machine may send us to this machine in the clear.
		if address.Scheme != "https" && u.Scheme == "https" {
			return nil, errors.New("discovery: jwks_uri is not https")
		}
		return g.set(ctx, address)
	}, nil
}

// keysOf reads jwks_uri from a discovery document of issuer.
func keysOf(data []byte, issuer string) (*url.URL, error) {
	// Not a struct: its names would be matched without case.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	text := func(name string) string {
		var s string
		if json.Unmarshal(members[name], &s) != nil {
			return ""
		}
		return s
	}
	if text("issuer") != issuer {
		return nil, errors.New("the document is of another issuer")
	}
	address, err := url.Parse(text("jwks_uri"))
	if err != nil || !secure(address) {
		return nil, errors.New("jwks_uri is neither https nor loopback")
	}
	return address, nil
}
