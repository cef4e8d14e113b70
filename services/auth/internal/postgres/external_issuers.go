package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// Exchanges share the lock of their issuer, and who revokes it has it alone. It
// is no lock of a row: of those that share one, new ones overtake whoever waits
// to change it, and a thief who exchanges all the time would hold the revocation up.
const (
	shareIssuerSQL = `SELECT pg_advisory_xact_lock_shared(hashtextextended('external issuer ' || $1, 0))`
	lockIssuerSQL  = `SELECT pg_advisory_xact_lock(hashtextextended('external issuer ' || $1, 0))`
)

const issuerRevokedSQL = `SELECT EXISTS (SELECT 1 FROM external_issuers WHERE issuer = $1 AND revoked_at IS NOT NULL)`

// admitExchange keeps the issuer from being revoked until the end of the
// transaction, or returns account.ErrExternalRevoked.
func admitExchange(ctx context.Context, tx pgx.Tx, issuer string) error {
	if _, err := tx.Exec(ctx, shareIssuerSQL, issuer); err != nil {
		return err
	}
	// A statement of its own: its snapshot is of a moment when the lock is held.
	var revoked bool
	if err := tx.QueryRow(ctx, issuerRevokedSQL, issuer).Scan(&revoked); err != nil {
		return err
	}
	if revoked {
		return account.ErrExternalRevoked
	}
	return nil
}

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

// AcceptExternalIssuer implements account.Store.
func (s *Store) AcceptExternalIssuer(ctx context.Context, issuer string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE external_issuers SET revoked_at = NULL WHERE issuer = $1`, issuer); err != nil {
		return wrap("accept external issuer", err)
	}
	return nil
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

// externalIssuersSQL: alone is about the named issuers only. Else those that
// sessions can have come from are those of the links, which it reads one of each.
const externalIssuersSQL = `
WITH RECURSIVE linked AS (
  (SELECT issuer FROM external_identities WHERE NOT @alone ORDER BY issuer LIMIT 1)
  UNION ALL
  SELECT (SELECT e.issuer FROM external_identities e WHERE e.issuer > l.issuer ORDER BY e.issuer LIMIT 1) FROM linked l WHERE l.issuer IS NOT NULL
), n AS (
  SELECT unnest(@named::text[]) AS issuer
  UNION SELECT issuer FROM external_issuers WHERE NOT @alone
  UNION SELECT issuer FROM linked WHERE issuer IS NOT NULL
), s AS (
  SELECT n.issuer, count(*) AS live FROM n JOIN sessions ON external_issuer = n.issuer
  WHERE external_issuer IS NOT NULL AND revoked_at IS NULL AND expires_at > now() AND rotated_at > now() - @idle::interval
  GROUP BY n.issuer
)
SELECT n.issuer, i.revoked_at, (
    SELECT max(keep_until) FROM revocation_rules WHERE kind = 'issuer' AND subject = '' AND issuer = n.issuer AND keep_until > now()
  ) AS refuse_until, coalesce(s.live, 0) AS live,
  i.issuer IS NOT NULL OR s.live IS NOT NULL OR EXISTS (SELECT 1 FROM external_identities e WHERE e.issuer = n.issuer) AS known
FROM n LEFT JOIN external_issuers i ON i.issuer = n.issuer LEFT JOIN s ON s.issuer = n.issuer ORDER BY n.issuer COLLATE "C"`

type externalIssuerRow struct {
	Issuer      string
	RevokedAt   *time.Time
	RefuseUntil *time.Time
	Live        int64
	Known       bool
}

// ExternalIssuers implements account.Store.
func (s *Store) ExternalIssuers(ctx context.Context, named []string, alone bool, idle time.Duration) ([]account.ExternalIssuer, error) {
	rows, err := all[externalIssuerRow](s.pool.Query(ctx, externalIssuersSQL, pgx.NamedArgs{"named": named, "alone": alone, "idle": idle}))
	if err != nil {
		return nil, wrap("list external issuers", err)
	}
	out := make([]account.ExternalIssuer, len(rows))
	for i, r := range rows {
		out[i] = account.ExternalIssuer{
			Issuer: r.Issuer, Known: r.Known, RevokedAt: optional(r.RevokedAt), RefuseUntil: optional(r.RefuseUntil), Sessions: r.Live,
		}
	}
	return out, nil
}
