// Package creds is the client side: it puts an access token on every call,
// renews it before it runs out, and renews it once more if the server says
// that it expired or was revoked.
//
// Renewals are single-flight: however many calls need a new token, one is
// asked for. An outage (UNAVAILABLE, DEADLINE_EXCEEDED, a broken network)
// never throws a token away, nor does a refusal by somebody in between; only
// the issuer's own word ends a session.
//
// Where tokens come from is a [TokenSource]: a [Static] one, a [File], a
// [Session] with a refresh token, a [ServiceAssertion] or [FileAssertion] of a
// service, an [ExternalSession] for tokens of another identity provider.
package creds
