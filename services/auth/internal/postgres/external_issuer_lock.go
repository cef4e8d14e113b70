package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// Exchanges share the lock of their issuer, and who revokes it has it alone. It
// is no lock of a row: of those that share one, new ones overtake whoever waits
// to change it, and a thief who exchanges all the time would hold the revocation up.
const (
	shareIssuerSQL = `SELECT pg_advisory_xact_lock_shared(hashtextextended('external issuer ' || $1, 0))`
	lockIssuerSQL  = `SELECT pg_advisory_xact_lock(hashtextextended('external issuer ' || $1, 0))`
)

const issuerRevokedSQL = `SELECT EXISTS (SELECT 1 FROM external_issuers WHERE issuer = $1 AND revoked_at IS NOT NULL)`

// admitExchange keeps the issuer from being revoked until the end of the
// transaction, or returns account.ErrExternalRevoked.
func admitExchange(ctx context.Context, tx pgx.Tx, issuer string) error {
	if _, err := tx.Exec(ctx, shareIssuerSQL, issuer); err != nil {
		return err
	}
	// A statement of its own: its snapshot is of a moment when the lock is held.
	var revoked bool
	if err := tx.QueryRow(ctx, issuerRevokedSQL, issuer).Scan(&revoked); err != nil {
		return err
	}
	if revoked {
		return account.ErrExternalRevoked
	}
	return nil
}
