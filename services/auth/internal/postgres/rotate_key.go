package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// lockKeysSQL locks all keys, so that of changes at once each sees the one
// before it, and says of the standby how much longer it has to be known.
const lockKeysSQL = `
SELECT ` + keyColumns + `,
  ` + isStandbySQL + ` AND known_at IS NOT NULL AND ` + everybodyKnowsSQL + ` AS known,
  greatest(@announce::interval - (statement_timestamp() - coalesce(known_at, statement_timestamp())), '0') AS wait,
  is_primary AND ` + primarySinceSQL + ` < statement_timestamp() - @age::interval AS old
FROM signing_keys k ORDER BY kid FOR UPDATE`

type lockedKey struct {
	keyRow

	Known bool
	Wait  time.Duration
	Old   bool
}

// lockedKeys are all keys, locked.
type lockedKeys []lockedKey

func (s *Store) lockKeys(ctx context.Context, tx pgx.Tx, announce, age time.Duration) (lockedKeys, error) {
	args := pgx.NamedArgs{"lease": signingkey.Lease, "announce": announce, "age": age}
	keys, err := all[lockedKey](tx.Query(ctx, lockKeysSQL, args))
	if _, ok := lockedKeys(keys).in(signingkey.Primary); err != nil || ok {
		return keys, err
	}
	// An emergency made the one that signs while this waited for its locks. A
	// statement that waits does not see rows that are new since it began.
	return all[lockedKey](tx.Query(ctx, lockKeysSQL, args))
}

func (l lockedKeys) in(state signingkey.State) (lockedKey, bool) {
	i := slices.IndexFunc(l, func(k lockedKey) bool { return k.State == state })
	if i < 0 {
		return lockedKey{}, false
	}
	return l[i], true
}

// next returns the standby if it may become primary.
func (l lockedKeys) next() (lockedKey, error) {
	standby, ok := l.in(signingkey.Standby)
	if !ok || !standby.Known || standby.Wait > 0 {
		return lockedKey{}, &signingkey.NotReadyError{RetryAfter: max(standby.Wait, time.Second)}
	}
	return standby, nil
}

// retireSQL comes before promoteSQL: there is one primary at every moment.
const (
	retireSQL  = `UPDATE signing_keys SET is_primary = false, retired_at = now() WHERE is_primary`
	promoteSQL = `UPDATE signing_keys SET is_primary = true, primary_at = now() WHERE kid = $1`
)

func promote(ctx context.Context, tx pgx.Tx, kid string) error {
	if _, err := tx.Exec(ctx, retireSQL); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, promoteSQL, kid)
	return err
}

// Rotate implements account.Store.
func (s *Store) Rotate(ctx context.Context, expected string, announce time.Duration) (primary signingkey.Key, err error) {
	err = s.transact(ctx, "rotate signing key", func(tx pgx.Tx) error {
		keys, err := s.lockKeys(ctx, tx, announce, 0)
		if err != nil {
			return err
		}
		old, ok := keys.in(signingkey.Primary)
		if ok && expected != "" && old.ID != expected {
			primary = old.key()
			return nil
		}
		next, err := keys.next()
		if err != nil {
			return err
		}
		if err := promote(ctx, tx, next.ID); err != nil {
			return err
		}
		primary, err = oneKey(ctx, tx, next.ID)
		return err
	})
	return primary, err
}

// RotateAfter implements signingkey.Store.
func (s *Store) RotateAfter(ctx context.Context, age, announce time.Duration) (rotated bool, err error) {
	err = s.transact(ctx, "rotate signing key by age", func(tx pgx.Tx) error {
		keys, err := s.lockKeys(ctx, tx, announce, age)
		if err != nil {
			return err
		}
		if primary, ok := keys.in(signingkey.Primary); !ok || !primary.Old {
			return nil
		}
		next, err := keys.next()
		if errors.Is(err, signingkey.ErrNotReady) {
			return nil
		}
		if err != nil {
			return err
		}
		rotated = true
		return promote(ctx, tx, next.ID)
	})
	return rotated && err == nil, err
}

const revokeKeySQL = `UPDATE signing_keys SET is_primary = false, revoked_at = now(), retired_at = coalesce(retired_at, now()) WHERE kid = $1`

// keyRuleLife is how long a revoked key is refused: verifiers that cannot reach
// the issuer go on with the keys they have for a day, and whoever stole the key
// signs what he likes meanwhile.
const keyRuleLife = 7 * 24 * time.Hour

// keyRuleSQL finds the rule about a key.
const keyRuleSQL = `SELECT seq FROM revocation_rules WHERE kind = 'key' AND subject = $1 AND issuer = $2 ORDER BY seq LIMIT 1`

// RevokeKey implements account.Store.
func (s *Store) RevokeKey(ctx context.Context, kid string, announce time.Duration, candidate *signingkey.Stored) (revoked, primary signingkey.Key, seq int64, err error) {
	err = s.transactRevoking(ctx, "revoke signing key", func(tx pgx.Tx) error {
		keys, err := s.lockKeys(ctx, tx, announce, 0)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(keys, func(k lockedKey) bool { return k.ID == kid })
		if i < 0 {
			return signingkey.ErrNotFound
		}
		signing, _ := keys.in(signingkey.Primary)
		if keys[i].State != signingkey.Revoked {
			if signing, err = endKey(ctx, tx, keys, keys[i], signing, candidate); err != nil {
				return err
			}
		}
		if revoked, err = oneKey(ctx, tx, kid); err != nil {
			return err
		}
		if primary, err = oneKey(ctx, tx, signing.ID); err != nil {
			return err
		}
		err = tx.QueryRow(ctx, keyRuleSQL, kid, s.issuer).Scan(&seq)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		seq, err = s.Append(ctx, tx, revocation.Rule{
			Kind: revocation.KindKey, Issuer: s.issuer, ID: kid, KeepUntil: time.Now().Add(keyRuleLife),
		})
		return err
	})
	return revoked, primary, seq, err
}

// endKey revokes a key; its place as primary is taken by the standby. It returns
// who signs then. With a candidate that does not wait for the standby to be known,
// nor for one to be there.
func endKey(ctx context.Context, tx pgx.Tx, keys lockedKeys, key, signing lockedKey, candidate *signingkey.Stored) (lockedKey, error) {
	if key.State != signingkey.Primary {
		_, err := tx.Exec(ctx, revokeKeySQL, key.ID)
		return signing, err
	}
	next, err := keys.next()
	if err != nil && candidate == nil {
		return lockedKey{}, err
	}
	if _, err := tx.Exec(ctx, revokeKeySQL, key.ID); err != nil {
		return lockedKey{}, err
	}
	if err == nil {
		return next, promote(ctx, tx, next.ID)
	}
	if standby, ok := keys.in(signingkey.Standby); ok {
		return standby, promote(ctx, tx, standby.ID)
	}
	_, err = tx.Exec(ctx, ensurePrimarySQL, candidate.ID, candidate.Public, candidate.Sealed)
	return lockedKey{keyRow: keyRow{ID: candidate.ID}}, err
}

func oneKey(ctx context.Context, tx pgx.Tx, kid string) (signingkey.Key, error) {
	row, err := one[keyRow](tx.Query(ctx, `SELECT `+keyColumns+` FROM signing_keys WHERE kid = $1`, kid))
	if err != nil {
		return signingkey.Key{}, err
	}
	return row.key(), nil
}
