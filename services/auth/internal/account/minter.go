package account

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
	"github.com/curfew-platform/curfew/services/auth/internal/refresh"
)

// acr is the authentication context class of a session that began with a password.
const acr = "aal1"

// Tokens is what a client gets.
type Tokens struct {
	Access          Secret
	Refresh         Secret
	AccessExpiresAt time.Time
}

// Minter makes the pair of a generation: the same bytes whenever and wherever
// it is asked, as long as the signing key and the user's epoch stay.
type Minter struct {
	issuer  *issuer.Issuer
	refresh *refresh.Codec
}

// NewMinter returns a Minter.
func NewMinter(i *issuer.Issuer, c *refresh.Codec) *Minter { return &Minter{issuer: i, refresh: c} }

// Mint returns the pair of g.
func (m *Minter) Mint(ctx context.Context, g Generation) (Tokens, error) {
	access, expires, err := m.issuer.Issue(ctx, issuer.Subject{
		ID:        g.UserID.String(),
		SessionID: g.SessionID.String(),
		TokenID:   g.TokenID.String(),
		Epoch:     g.Epoch,
		Roles:     g.Roles,
		ACR:       acr,
		AuthTime:  g.AuthTime,
		IssuedAt:  g.IssuedAt,
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("access token: %w", err)
	}
	r, err := m.refresh.Encode(refresh.Token{KeyID: g.MACKey, Session: g.SessionID, Generation: g.Number})
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{Access: Secret(access), Refresh: Secret(r), AccessExpiresAt: expires}, nil
}
