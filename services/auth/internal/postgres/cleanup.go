package postgres

import (
	"context"
	"fmt"
	"time"
)

// cleanups remove what nothing can need any more, at most $1 rows a statement.
// The rows are locked by the inner select and the condition stands in the
// outer DELETE too: READ COMMITTED checks only that one again, and a row that
// was renewed meanwhile must stay.
//
// A signing key goes a day after the rule about it, if it was revoked, so that the
// list of keys says why its tokens are refused.
//
// Sessions go only an hour after their absolute limit, and generations have no
// rows of their own: no clean-up turns the detection of a copied token off.
var cleanups = []struct{ table, statement string }{
	{"sessions", `
DELETE FROM sessions s USING (
  SELECT id FROM sessions WHERE expires_at < now() - interval '1 hour' ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
) d WHERE s.id = d.id AND s.expires_at < now() - interval '1 hour'`},
	{"revocation_rules", `
DELETE FROM revocation_rules r USING (
  SELECT seq, part FROM revocation_rules WHERE keep_until < now() AND coalesce(until < now(), true) ORDER BY keep_until LIMIT $1 FOR UPDATE SKIP LOCKED
) d WHERE r.seq = d.seq AND r.part = d.part AND r.keep_until < now()`},
	{"signing_keys", `
DELETE FROM signing_keys k USING (
  SELECT kid FROM signing_keys WHERE greatest(retired_at, revoked_at) < now() - interval '8 days' ORDER BY retired_at LIMIT $1 FOR UPDATE SKIP LOCKED
) d WHERE k.kid = d.kid AND NOT k.is_primary AND greatest(k.retired_at, k.revoked_at) < now() - interval '8 days'`},
	{"signing_key_readers", `
DELETE FROM signing_key_readers r USING (
  SELECT replica, incarnation FROM signing_key_readers WHERE seen_at < now() - interval '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED
) d WHERE r.replica = d.replica AND r.incarnation = d.incarnation AND r.seen_at < now() - interval '1 hour'`},
	{"revocation_reports", `
DELETE FROM revocation_reports r USING (
  SELECT replica, incarnation FROM revocation_reports WHERE at < now() - interval '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED
) d WHERE r.replica = d.replica AND r.incarnation = d.incarnation AND r.at < now() - interval '1 hour'`},
	{"used_assertions", `
DELETE FROM used_assertions a USING (
  SELECT service, jti FROM used_assertions WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
) d WHERE a.service = d.service AND a.jti = d.jti AND a.expires_at < now()`},
}

// Bounds of one CleanUp.
const (
	cleanUpBatch   = 1000
	cleanUpBatches = 100
	// cleanUpLimit is above statement_timeout: a server that is there says so first.
	cleanUpLimit = 35 * time.Second
)

// CleanUp removes expired rows, batch by batch, and returns how many. It stops
// early with ctx, between or within batches.
func (s *Store) CleanUp(ctx context.Context) (removed int64, err error) {
	for _, c := range cleanups {
		for range cleanUpBatches {
			n, err := s.cleanUpSome(ctx, c.statement)
			if err != nil {
				return removed, fmt.Errorf("clean up %s: %w", c.table, err)
			}
			removed += n
			if n < cleanUpBatch {
				break
			}
		}
	}
	return removed, nil
}

func (s *Store) cleanUpSome(ctx context.Context, statement string) (removed int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, cleanUpLimit)
	defer cancel()
	tag, err := s.pool.Exec(ctx, statement, cleanUpBatch)
	return tag.RowsAffected(), err
}

// CleanUpEvery is how often CleanUp is worth its while.
const CleanUpEvery = 30 * time.Second
