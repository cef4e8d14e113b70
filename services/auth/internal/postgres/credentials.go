package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// credentialSQL reads the hash together with the version and the epoch that it
// is verified for: one row version each, one statement. A user without a password
// has an empty one, which nothing matches.
const credentialSQL = `
SELECT u.id, u.email, u.roles, u.active, u.created_at, u.updated_at,
       coalesce(c.password_hash, '') AS password_hash, u.cred_version, u.epoch
FROM users u LEFT JOIN credentials c ON c.user_id = u.id `

type credentialRow struct {
	epochRow

	PasswordHash string
	CredVersion  int64
}

// credentialByEmailSQL says what the index says: many users have no address.
const credentialByEmailSQL = credentialSQL + `WHERE u.email = $1 AND u.email <> ''`

// CredentialByEmail implements account.Store.
func (s *Store) CredentialByEmail(ctx context.Context, email string) (account.Credential, error) {
	return credential(s.pool.Query(ctx, credentialByEmailSQL, email))
}

// Credential implements account.Store.
func (s *Store) Credential(ctx context.Context, user uuid.UUID) (account.Credential, error) {
	return credential(s.pool.Query(ctx, credentialSQL+`WHERE u.id = $1`, user))
}

func credential(rows pgx.Rows, err error) (account.Credential, error) {
	r, err := one[credentialRow](rows, err)
	if err != nil {
		return account.Credential{}, wrap("read credential", instead(err, account.ErrUserNotFound))
	}
	return account.Credential{User: r.user(), Hash: r.PasswordHash, CredVersion: r.CredVersion, Epoch: r.Epoch}, nil
}

const replaceHashSQL = `
UPDATE credentials c SET password_hash = $3
FROM users u WHERE u.id = c.user_id AND u.id = $1 AND u.cred_version = $2`

// ReplaceHash implements account.Store. It locks the user first: a change of
// the password that overlaps must not be overwritten with a hash of the old one.
func (s *Store) ReplaceHash(ctx context.Context, user uuid.UUID, credVersion int64, hash string) error {
	return s.transact(ctx, "replace hash", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockUserSQL, user); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, replaceHashSQL, user, credVersion, hash)
		return err
	})
}
