package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

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
