package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

const refuseIssuerSQL = `
INSERT INTO external_issuers AS i (issuer, revoked_at) VALUES ($1, now())
ON CONFLICT (issuer) DO UPDATE SET revoked_at = coalesce(i.revoked_at, now()) RETURNING revoked_at`

// issuerRuleLife is how long an issuer's own tokens are refused: as long as those
// of a key of ours that was stolen, for the same reason. No profile admits a
// longer life.
const issuerRuleLife = keyRuleLife

// issuerRuleSQL finds a rule about the issuer that was made for this revocation.
const issuerRuleSQL = `SELECT seq FROM revocation_rules WHERE kind = 'issuer' AND subject = '' AND issuer = $1 AND made_at >= $2 ORDER BY seq LIMIT 1`

// RefuseExternalIssuer implements account.Store.
func (s *Store) RefuseExternalIssuer(ctx context.Context, issuer string) (seq int64, err error) {
	err = s.transactRevoking(ctx, "refuse external issuer", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockIssuerSQL, issuer); err != nil {
			return err
		}
		var at time.Time
		if err := tx.QueryRow(ctx, refuseIssuerSQL, issuer).Scan(&at); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, issuerRuleSQL, issuer, at).Scan(&seq)
		if errors.Is(err, pgx.ErrNoRows) {
			seq, err = s.Append(ctx, tx, revocation.Rule{Kind: revocation.KindIssuer, Issuer: issuer, KeepUntil: time.Now().Add(issuerRuleLife)})
		}
		return err
	})
	return seq, err
}

const (
	externalSessionsSQL = `
SELECT id, user_id FROM sessions WHERE external_issuer = $1 AND id > $2 AND revoked_at IS NULL ORDER BY id LIMIT $3`
	// lockUsersSQL: who ends several sessions of a user has the user's lock, and so
	// waits for no session of his while having another.
	lockUsersSQL = `SELECT FROM users WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`
	// endTheseSQL says of each session whether an access token of it may live.
	endTheseSQL = `
UPDATE sessions SET revoked_at = now(), reason = $2 WHERE id = ANY ($1) AND revoked_at IS NULL
RETURNING id, greatest(rotated_at, issued_at) > now() - $3::interval AS speaks`
)

type externalSessionRow struct{ ID, UserID uuid.UUID }

type endedSessionRow struct {
	ID     uuid.UUID
	Speaks bool
}

// EndExternalSessions implements account.Store.
func (s *Store) EndExternalSessions(ctx context.Context, issuer string, after uuid.UUID, limit int) (ended int, last uuid.UUID, seq int64, err error) {
	err = s.transactRevoking(ctx, "end external sessions", func(tx pgx.Tx) error {
		live, err := all[externalSessionRow](tx.Query(ctx, externalSessionsSQL, issuer, after, limit))
		if err != nil {
			return err
		}
		sessions, users := make([]uuid.UUID, len(live)), make([]uuid.UUID, len(live))
		for i, r := range live {
			sessions[i], users[i] = r.ID, r.UserID
		}
		if len(live) == limit {
			last = sessions[limit-1]
		}
		if _, err := tx.Exec(ctx, lockUsersSQL, users); err != nil {
			return err
		}
		rows, err := all[endedSessionRow](tx.Query(ctx, endTheseSQL, sessions, reasonEnded, s.keep))
		if err != nil {
			return err
		}
		ended = len(rows)
		var speaking []uuid.UUID
		for _, r := range rows {
			if r.Speaks {
				speaking = append(speaking, r.ID)
			}
		}
		seq, err = s.revokeSessions(ctx, tx, speaking...)
		return err
	})
	return ended, last, seq, err
}
