package account

import (
	"errors"
	"time"
)

// Refusals that concern links to external issuers.
var (
	ErrExternalIdentityTaken     = errors.New("external identity is another user")
	ErrExternalIdentitiesTooMany = errors.New("user has as many external identities as may be")
)

// ExternalIdentity is who somebody is at an external issuer.
type ExternalIdentity struct {
	Issuer    string
	Subject   string
	CreatedAt time.Time
}
