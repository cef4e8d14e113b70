package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// identitiesSQL has a row without an issuer for a user who has no link.
const identitiesSQL = `
SELECT e.issuer, e.subject, e.created_at FROM users u LEFT JOIN external_identities e ON e.user_id = u.id
WHERE u.id = $1 ORDER BY e.created_at, e.issuer, e.subject`

type identityRow struct {
	Issuer    *string
	Subject   *string
	CreatedAt *time.Time
}

// ExternalIdentities implements account.Store.
func (s *Store) ExternalIdentities(ctx context.Context, user uuid.UUID) ([]account.ExternalIdentity, error) {
	rows, err := all[identityRow](s.pool.Query(ctx, identitiesSQL, user))
	if err == nil && len(rows) == 0 {
		err = account.ErrUserNotFound
	}
	if err != nil {
		return nil, wrap("list external identities", err)
	}
	var out []account.ExternalIdentity
	for _, r := range rows {
		if r.Issuer != nil {
			out = append(out, account.ExternalIdentity{Issuer: *r.Issuer, Subject: *r.Subject, CreatedAt: *r.CreatedAt})
		}
	}
	return out, nil
}

// lockOwner locks the user whose links change, as exchanges do.
func lockOwner(ctx context.Context, tx pgx.Tx, user uuid.UUID) error {
	var id uuid.UUID
	return instead(tx.QueryRow(ctx, lockUserSQL, user).Scan(&id), account.ErrUserNotFound)
}

// LinkExternalIdentity implements account.Store.
func (s *Store) LinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string, limit int) error {
	return s.transact(ctx, "link external identity", func(tx pgx.Tx) error {
		if err := lockOwner(ctx, tx, user); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, provisionLinkSQL, issuer, subject, user); err != nil {
			return err
		}
		var owner uuid.UUID
		if err := tx.QueryRow(ctx, linkSQL, issuer, subject).Scan(&owner); err != nil {
			return instead(err, account.ErrAccountChanged)
		}
		if owner != user {
			return account.ErrExternalIdentityTaken
		}
		var links int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM external_identities WHERE user_id = $1`, user).Scan(&links); err != nil {
			return err
		}
		if links > limit {
			return account.ErrExternalIdentitiesTooMany
		}
		return nil
	})
}

const (
	unlinkSQL = `DELETE FROM external_identities WHERE user_id = $1 AND issuer = $2 AND subject = $3`
	// endFromSQL: a session says from which issuer it came, and not by which of its
	// subjects, of which a user has one as a rule.
	endFromSQL = `
UPDATE sessions SET revoked_at = now(), reason = $3
WHERE user_id = $1 AND external_issuer = $2 AND revoked_at IS NULL RETURNING id`
)

// UnlinkExternalIdentity implements account.Store.
func (s *Store) UnlinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string) (u account.Unlinked, seq int64, err error) {
	err = s.transactRevoking(ctx, "unlink external identity", func(tx pgx.Tx) error {
		if err := lockOwner(ctx, tx, user); err != nil {
			return err
		}
		gone, err := tx.Exec(ctx, unlinkSQL, user, issuer, subject)
		if err != nil {
			return err
		}
		var sessions []uuid.UUID
		if u.Found = gone.RowsAffected() > 0; u.Found {
			if sessions, err = column[uuid.UUID](tx.Query(ctx, endFromSQL, user, issuer, reasonEnded)); err != nil {
				return err
			}
		}
		u.Ended = len(sessions)
		seq, err = s.revokeSessions(ctx, tx, sessions...)
		return err
	})
	return u, seq, err
}
