package token

import (
	"errors"
	"fmt"
)

// The outcomes of a verification that failed. Errors of this package wrap one
// of them with a detail for logs; the detail never contains a part of the
// token.
var (
	// ErrMalformed: not a token that this server accepts, whatever the time.
	ErrMalformed = errors.New("token malformed")
	// ErrExpired: everything about the token is right except that its time is
	// over.
	ErrExpired = errors.New("token expired")
	// ErrWrongAudience: a genuine token that is meant for somebody else.
	ErrWrongAudience = errors.New("token for another audience")
	// ErrKeysUnavailable: the keys of the issuer cannot be had at the moment,
	// so nothing is known about the token. Never a reason to log anybody out.
	ErrKeysUnavailable = errors.New("signing keys unavailable")
	// ErrUnknownKey: the issuer has no such key. Implementations of Keys return
	// it; Verify reports ErrMalformed.
	ErrUnknownKey = errors.New("unknown signing key")
)

func malformed(detail string) error { return fmt.Errorf("%w: %s", ErrMalformed, detail) }
