package postgres

import (
	"context"
)

// AcceptExternalIssuer implements account.Store.
func (s *Store) AcceptExternalIssuer(ctx context.Context, issuer string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE external_issuers SET revoked_at = NULL WHERE issuer = $1`, issuer); err != nil {
		return wrap("accept external issuer", err)
	}
	return nil
}
