package token

import (
	"errors"
	"fmt"
)

// The reasons for which a token is refused. Errors of this package wrap one of
// them, with a detail for logs that never contains a part of the token; compare
// with errors.Is.
var (
	// ErrMalformed: this is not a token that the server would accept at any
	// time.
	ErrMalformed = errors.New("token malformed")
	// ErrExpired: the token is good in every way but its time is over.
	ErrExpired = errors.New("token expired")
	// ErrWrongAudience: the token is genuine and was issued for another
	// audience.
	ErrWrongAudience = errors.New("token for another audience")
	// ErrKeysUnavailable: the keys of the issuer cannot be fetched, so nothing
	// is known about the token. It is never a reason to log a user out.
	ErrKeysUnavailable = errors.New("signing keys unavailable")
	// ErrUnknownKey: the issuer has no such key. [Keys] return it; Verify turns
	// it into ErrMalformed.
	ErrUnknownKey = errors.New("unknown signing key")
)

func malformed(detail string) error { return fmt.Errorf("%w: %s", ErrMalformed, detail) }
