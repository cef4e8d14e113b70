package account

import (
	"context"

	"github.com/google/uuid"
)

type unlinkExternalIdentityStore interface {
	// UnlinkExternalIdentity takes the link away, ends the sessions of the user
	// that came from the issuer, and revokes their tokens, in one transaction. If
	// there is no link nothing ends, and the position is the head of the feed:
	// what an earlier call has revoked is not after it. ErrUserNotFound for an
	// unknown user.
	UnlinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string) (Unlinked, int64, error)
}

// Unlinked is what became of a link.
type Unlinked struct {
	Found bool
	Ended int // sessions
}

// UnlinkExternalIdentity takes a link back. When it returns without error the
// subject begins no sessions of the user, and no replica admits a token of those
// that came from the issuer. Repeating it is harmless. The error is
// ErrUserNotFound, ErrBusy or *PendingError.
func (s *Service) UnlinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string) (u Unlinked, r Receipt, err error) {
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		u, seq, err = s.store.UnlinkExternalIdentity(ctx, user, issuer, subject)
		return seq, err
	})
	return u, r, err
}
