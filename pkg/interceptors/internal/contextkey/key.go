// Package contextkey holds the keys of what a call carries in its context.
//
// A running call is its own context: it answers these keys from its fields,
// without a context value for each of them. So the keys are shared by the
// packages that read them and by the chain that answers them.
package contextkey

// Identity is the key of the caller, an *identity.Identity.
type Identity struct{}

// Guard is the key of the revocation.Guard of the call.
type Guard struct{}

// Token is the key of the text of the caller's token, a token.Raw: for sources of
// revocations that ask its issuer.
type Token struct{}

// RequestID is the key of the correlation id, a *string.
type RequestID struct{}
