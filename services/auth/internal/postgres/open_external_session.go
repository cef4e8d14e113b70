package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const linkSQL = `SELECT user_id FROM external_identities WHERE issuer = $1 AND subject = $2`

// ExternalUser implements account.Store.
func (s *Store) ExternalUser(ctx context.Context, issuer, subject string) (user uuid.UUID, err error) {
	if err := s.pool.QueryRow(ctx, linkSQL, issuer, subject).Scan(&user); err != nil {
		return uuid.Nil, wrap("read external identity", instead(err, account.ErrExternalUnknown))
	}
	return user, nil
}

// lockUserRowSQL waits for what deactivates the user, or changes the roles, and
// reads the row as that has left it. FOR KEY SHARE would not: it does not
// conflict with UPDATE.
const lockUserRowSQL = `SELECT ` + userColumns + `, epoch FROM users WHERE id = $1 FOR NO KEY UPDATE`

// OpenExternalSession implements account.Store. What is decided on is read under
// the lock of the user's row: the link was looked up before it, and may be gone.
func (s *Store) OpenExternalSession(ctx context.Context, n account.NewExternalSession) (g account.Generation, user account.User, err error) {
	err = s.transactOpening(ctx, "open external session", func(tx opening) error {
		if err := admitExchange(ctx, tx, n.Origin.Issuer); err != nil {
			return err
		}
		if n.Provision {
			if err := provision(ctx, tx, n); err != nil {
				return err
			}
		}
		row, err := one[epochRow](tx.Query(ctx, lockUserRowSQL, n.UserID))
		if err != nil {
			return instead(err, account.ErrAccountChanged)
		}
		// A statement of its own: its snapshot is of a moment when the lock is held.
		var linked uuid.UUID
		if err := tx.QueryRow(ctx, linkSQL, n.Origin.Issuer, n.Subject).Scan(&linked); err != nil {
			return instead(err, account.ErrAccountChanged)
		}
		if linked != n.UserID {
			return account.ErrAccountChanged
		}
		if !row.Active {
			return account.ErrUserDeactivated
		}
		user = row.user()
		g, err = s.open(ctx, tx, n.NewSession, row.Epoch, row.Roles)
		return err
	})
	return g, user, err
}

const (
	provisionUserSQL = `INSERT INTO users (id, email, roles) VALUES ($1, '', $2)`
	// provisionLinkSQL waits for whoever is just making the same link. If that is
	// made, it is not this user's, and the transaction finds that out.
	provisionLinkSQL = `INSERT INTO external_identities (issuer, subject, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
)

// provision makes a user without an address, and the link unless there is one.
func provision(ctx context.Context, tx pgx.Tx, n account.NewExternalSession) error {
	if _, err := tx.Exec(ctx, provisionUserSQL, n.UserID, []string{account.RoleCustomer}); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, provisionLinkSQL, n.Origin.Issuer, n.Subject, n.UserID)
	return err
}
