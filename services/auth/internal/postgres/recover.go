package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// epochLeap is above what any user's epoch can have grown by between the moment that a restored database is of and its
// end: replicas that kept running hold rules of that time, and would refuse new tokens of an epoch that was given before.
const epochLeap = 1_000_000

// Recovered is what Recover did.
type Recovered struct {
	// Generation of the feed from now on.
	Generation string
	// Keys that were revoked, Sessions that were ended and Users whose tokens have a new epoch.
	Keys, Sessions, Users int64
}

const (
	// All users and sessions are changed, however many there are; nothing else has a lock for long.
	patientSQL = `SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '30s', true)`
	// A replica that begins to run has its row before, or reads the new generation after.
	lockEnginesSQL = `LOCK TABLE revocation_engines IN SHARE ROW EXCLUSIVE MODE`

	// runningSQL finds replicas that run. The clock of the database counts, as it does for their leases.
	runningSQL = `SELECT count(*) FROM revocation_engines WHERE lease_until > clock_timestamp()`
	// Rows of the past say nothing about this history.
	forgetEnginesSQL    = `DELETE FROM revocation_engines`
	forgetKeyReadersSQL = `DELETE FROM signing_key_readers`

	revokeKeysSQL = `
UPDATE signing_keys SET is_primary = false, revoked_at = coalesce(revoked_at, now()), retired_at = coalesce(retired_at, now())
RETURNING kid`
	replaceKeySQL = `INSERT INTO signing_keys (kid, public_key, sealed, is_primary, primary_at) VALUES ($1, $2, $3, true, now())`

	leapSQL           = `UPDATE users SET epoch = epoch + $1`
	endAllSessionsSQL = `UPDATE sessions SET revoked_at = now(), reason = $1 WHERE revoked_at IS NULL`

	newGenerationSQL = `UPDATE revocation_head SET generation = gen_random_uuid() RETURNING generation::text`
)

// ReplicasRunError says that a replica holds its row lease: it would go on in the old history.
type ReplicasRunError struct{ Replicas int64 }

// Error implements error.
func (e *ReplicasRunError) Error() string {
	return "replicas of auth are running on this database: stop them first, and wait until their row leases are over"
}

// Recover makes a database fit for service that has lost commits, by a restore or a failover. What was revoked in the lost
// time is not known any more, so everything that was issued before is refused: all signing keys are revoked and replaced by
// key, all sessions are ended, all users get a new epoch, and the feed begins a new generation. With keepSessions the
// sessions stay that the database has, also those that were revoked in the lost time.
func (s *Store) Recover(ctx context.Context, key signingkey.Stored, keepSessions bool) (r Recovered, err error) {
	err = s.transact(ctx, "recover", func(tx pgx.Tx) error {
		for _, sql := range []string{patientSQL, lockEnginesSQL} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		var live int64
		if err := tx.QueryRow(ctx, runningSQL).Scan(&live); err != nil {
			return err
		}
		if live > 0 {
			return &ReplicasRunError{Replicas: live}
		}
		for _, sql := range []string{forgetEnginesSQL, forgetKeyReadersSQL} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		rules, err := s.replaceKeys(ctx, tx, key)
		if err != nil {
			return err
		}
		r.Keys = int64(len(rules))
		leaped, err := tx.Exec(ctx, leapSQL, epochLeap)
		if err != nil {
			return err
		}
		r.Users = leaped.RowsAffected()
		if !keepSessions {
			ended, err := tx.Exec(ctx, endAllSessionsSQL, reasonEnded)
			if err != nil {
				return err
			}
			r.Sessions = ended.RowsAffected()
		}
		if err := tx.QueryRow(ctx, newGenerationSQL).Scan(&r.Generation); err != nil {
			return err
		}
		_, err = s.Append(ctx, tx, rules...)
		return err
	})
	return r, err
}

// replaceKeys revokes all keys in favour of one, and returns the rules that say so.
func (s *Store) replaceKeys(ctx context.Context, tx pgx.Tx, key signingkey.Stored) ([]revocation.Rule, error) {
	ids, err := column[string](tx.Query(ctx, revokeKeysSQL))
	if err != nil {
		return nil, err
	}
	rules := make([]revocation.Rule, len(ids))
	for i, id := range ids {
		rules[i] = revocation.Rule{Kind: revocation.KindKey, Issuer: s.issuer, ID: id, KeepUntil: time.Now().Add(keyRuleLife)}
	}
	_, err = tx.Exec(ctx, replaceKeySQL, key.ID, key.Public, key.Sealed)
	return rules, err
}
