package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// ensurePrimarySQL waits for a replica that does the same at this moment, and
// then does nothing.
const ensurePrimarySQL = `
INSERT INTO signing_keys (kid, public_key, sealed, is_primary)
SELECT $1, $2, $3, true WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE is_primary)
ON CONFLICT (is_primary) WHERE is_primary DO NOTHING`

const signingKeysSQL = `
SELECT kid AS id, public_key AS public, sealed, is_primary AS "primary"
FROM signing_keys ORDER BY created_at, kid`

// EnsurePrimary implements signingkey.Store.
func (s *Store) EnsurePrimary(ctx context.Context, candidate signingkey.Stored) ([]signingkey.Stored, error) {
	var keys []signingkey.Stored
	err := s.transact(ctx, "signing keys", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, ensurePrimarySQL, candidate.ID, candidate.Public, candidate.Sealed); err != nil {
			return err
		}
		var err error
		keys, err = all[signingkey.Stored](tx.Query(ctx, signingKeysSQL))
		return err
	})
	return keys, err
}
