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
