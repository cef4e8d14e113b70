package postgres

import (
	"context"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// SigningKeys implements account.Store: newest first.
func (s *Store) SigningKeys(ctx context.Context) ([]signingkey.Key, error) {
	rows, err := all[keyRow](s.pool.Query(ctx, `SELECT `+keyColumns+` FROM signing_keys ORDER BY created_at DESC, kid LIMIT 1000`))
	if err != nil {
		return nil, wrap("list signing keys", err)
	}
	out := make([]signingkey.Key, len(rows))
	for i, r := range rows {
		out[i] = r.key()
	}
	return out, nil
}
