package postgres

import (
	"context"
	"time"
)

// UseAssertion notes that an assertion was used and says whether this was the
// first time. The note is kept until expires.
func (s *Store) UseAssertion(ctx context.Context, service, id string, expires time.Time) (first bool, err error) {
	tag, err := s.pool.Exec(ctx, `
INSERT INTO used_assertions (service, jti, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (service, jti) DO NOTHING`, service, id, expires)
	if err != nil {
		return false, wrap("note assertion", err)
	}
	return tag.RowsAffected() == 1, nil
}
