package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

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

// oneKey reads a key as the transaction has left it.
func oneKey(ctx context.Context, tx pgx.Tx, kid string) (signingkey.Key, error) {
	row, err := one[keyRow](tx.Query(ctx, `SELECT `+keyColumns+` FROM signing_keys WHERE kid = $1`, kid))
	if err != nil {
		return signingkey.Key{}, err
	}
	return row.key(), nil
}
