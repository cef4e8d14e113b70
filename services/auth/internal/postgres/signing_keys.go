package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// keyStateSQL is signingkey.State of a row.
const keyStateSQL = `CASE WHEN revoked_at IS NOT NULL THEN 4 WHEN is_primary THEN 2 WHEN retired_at IS NOT NULL THEN 3 ELSE 1 END`

// isStandbySQL is a row that is the next primary.
const isStandbySQL = `NOT is_primary AND retired_at IS NULL`

// ensurePrimarySQL waits for a replica that does the same at this moment, and
// then does nothing.
const ensurePrimarySQL = `
INSERT INTO signing_keys (kid, public_key, sealed, is_primary, primary_at)
SELECT $1, $2, $3, true, now() WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE is_primary)
ON CONFLICT (is_primary) WHERE is_primary DO NOTHING`

// EnsurePrimary implements signingkey.Store.
func (s *Store) EnsurePrimary(ctx context.Context, candidate signingkey.Stored) error {
	_, err := s.pool.Exec(ctx, ensurePrimarySQL, candidate.ID, candidate.Public, candidate.Sealed)
	if err != nil {
		return wrap("first signing key", err)
	}
	return nil
}

const ensureStandbySQL = `
INSERT INTO signing_keys (kid, public_key, sealed, is_primary)
SELECT $1, $2, $3, false WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE ` + isStandbySQL + `)
ON CONFLICT ((true)) WHERE ` + isStandbySQL + ` DO NOTHING`

// EnsureStandby implements signingkey.Store.
func (s *Store) EnsureStandby(ctx context.Context, candidate signingkey.Stored) error {
	if _, err := s.pool.Exec(ctx, ensureStandbySQL, candidate.ID, candidate.Public, candidate.Sealed); err != nil {
		return wrap("next signing key", err)
	}
	return nil
}

// keysSQL leaves out keys whose tokens are all over.
const keysSQL = `
SELECT kid AS id, public_key AS public, sealed, ` + keyStateSQL + ` AS state
FROM signing_keys
WHERE retired_at IS NULL OR greatest(retired_at, revoked_at) > now() - $1::interval
ORDER BY created_at, kid`

// Keys implements signingkey.Store.
func (s *Store) Keys(ctx context.Context) ([]signingkey.Stored, error) {
	keys, err := all[signingkey.Stored](s.pool.Query(ctx, keysSQL, s.keep))
	if err != nil {
		return nil, wrap("signing keys", err)
	}
	return keys, nil
}

// publishKeysSQL counts from the time of the statement, which is not before the
// replica sent it.
const publishKeysSQL = `
INSERT INTO signing_key_readers (replica, incarnation, known, seen_at) VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (replica, incarnation) DO UPDATE SET known = excluded.known, seen_at = excluded.seen_at`

// Publish implements signingkey.Store.
func (s *Store) Publish(ctx context.Context, reader signingkey.Reader, known []string) error {
	if _, err := s.pool.Exec(ctx, publishKeysSQL, reader.Replica, reader.Incarnation, known); err != nil {
		return wrap("publish known signing keys", err)
	}
	return nil
}

// everybodyKnowsSQL is true of a key k that all replicas verify with. An engine
// of the feed without a row among the readers is a replica of a release that
// reads the keys at its start only.
const everybodyKnowsSQL = `(
  NOT EXISTS (SELECT 1 FROM signing_key_readers r WHERE r.seen_at > statement_timestamp() - @lease::interval AND NOT r.known @> ARRAY[k.kid])
  AND NOT EXISTS (SELECT 1 FROM revocation_engines e WHERE e.lease_until > statement_timestamp() AND NOT EXISTS (
    SELECT 1 FROM signing_key_readers r WHERE r.replica = e.replica AND r.incarnation = e.incarnation AND r.known @> ARRAY[k.kid])))`

const noteKnownSQL = `
UPDATE signing_keys k SET known_at = clock_timestamp()
WHERE ` + isStandbySQL + ` AND known_at IS NULL AND ` + everybodyKnowsSQL

// NoteKnown implements signingkey.Store.
func (s *Store) NoteKnown(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, noteKnownSQL, pgx.NamedArgs{"lease": signingkey.Lease}); err != nil {
		return wrap("note known signing key", err)
	}
	return nil
}

// keyRow is a key without its secret.
type keyRow struct {
	ID        string
	State     signingkey.State
	CreatedAt time.Time
	PrimaryAt *time.Time
	EndedAt   *time.Time
}

func (r keyRow) key() signingkey.Key {
	return signingkey.Key{ID: r.ID, State: r.State, CreatedAt: r.CreatedAt, PrimaryAt: optional(r.PrimaryAt), EndedAt: optional(r.EndedAt)}
}

// primarySinceSQL is when a key became primary. A release before the column wrote the first key without it.
const primarySinceSQL = `coalesce(primary_at, CASE WHEN is_primary THEN created_at END)`

const keyColumns = `kid AS id, ` + keyStateSQL + ` AS state, created_at, ` + primarySinceSQL + ` AS primary_at, coalesce(revoked_at, retired_at) AS ended_at`
