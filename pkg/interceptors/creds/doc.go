// Package creds is the client side. It puts an access token on every call, renews
// it before it expires, and renews it once more if a server says that it expired or
// was revoked.
//
// Start with [Dial], which takes a [Target] and a [Refreshing]. A Refreshing gets its
// tokens from a [TokenSource]:
//
//   - [Session] renews with a refresh token, which a [Store] keeps;
//   - [ServiceAssertion] and [FileAssertion] are for services;
//   - [ExternalSession] is for programs with tokens of another identity provider;
//   - [File] reads a token that another program keeps fresh;
//   - [Static] is one token.
//
// Renewals are single-flight: however many calls need a new token, the source is
// asked once. No outage (UNAVAILABLE, DEADLINE_EXCEEDED, a broken network) and no
// refusal by something in between, a proxy for example, throws a session away. Only
// the issuer ends it, and [SignedOut] tells that from everything else.
package creds
