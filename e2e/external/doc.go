// Package external is an identity provider that is not ours: the OpenID
// provider of github.com/zitadel/oidc, over TLS on loopback, with users who log
// in through its pages' protocol (authorization code, PKCE), a program that has
// a secret, access tokens that are JWTs, and keys that can be replaced while it
// runs.
package external
