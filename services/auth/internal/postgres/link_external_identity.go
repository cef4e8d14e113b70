package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

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
