package account

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// Refusals that concern sessions and their refresh tokens.
var (
	ErrSessionNotFound = errors.New("no such session")
	ErrSessionRevoked  = errors.New("session was ended")
	ErrRefreshUnknown  = errors.New("refresh token is unknown")
	ErrRefreshExpired  = errors.New("session reached its idle or absolute limit")
	ErrRefreshReused   = errors.New("an older refresh token was presented; the session is ended")
	// ErrRetryKeyRequired: the session is native and goes on; the call is to be
	// made with a retry key.
	ErrRetryKeyRequired = errors.New("a native session is refreshed with a retry key only")
)

// Session is one login or exchange on one device.
type Session struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	Device     string
	CreatedAt  time.Time
	LastUsedAt time.Time // last rotation
	ExpiresAt  time.Time // absolute
}

// Generation is the current generation of a session: all that both of its
// tokens are made of, so that whoever mints from the same one makes the same
// bytes. It comes from one row version, never from several reads.
type Generation struct {
	SessionID uuid.UUID
	UserID    uuid.UUID
	Number    int32
	MACKey    uint32    // authenticates the refresh token
	TokenID   uuid.UUID // jti of the access token
	IssuedAt  time.Time // of the database
	AuthTime  time.Time
	Epoch     int64
	Roles     []string
}

// Caller is who calls, as the verified access token says.
type Caller struct {
	UserID    uuid.UUID
	SessionID uuid.UUID
}
