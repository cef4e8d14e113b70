package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const sessionColumns = `id, user_id, device, created_at, rotated_at AS last_used_at, expires_at`

type sessionRow struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	Device     string
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time
}

func (r sessionRow) session() account.Session { return account.Session(r) }

// sessionsSQL pages by id: ids are UUIDv7, so their order is that of the logins.
const sessionsSQL = `
SELECT ` + sessionColumns + ` FROM sessions
WHERE user_id = @user AND revoked_at IS NULL AND expires_at > now() AND rotated_at > now() - @idle::interval
  AND (@after::uuid IS NULL OR id < @after)
ORDER BY id DESC LIMIT @limit`

// Sessions implements account.Store.
func (s *Store) Sessions(ctx context.Context, p account.SessionPage) ([]account.Session, error) {
	after := uuid.NullUUID{UUID: p.After, Valid: p.After != uuid.Nil}
	rows, err := all[sessionRow](s.pool.Query(ctx, sessionsSQL, pgx.NamedArgs{
		"user": p.UserID, "idle": p.Idle, "after": after, "limit": p.Limit,
	}))
	if err != nil {
		return nil, wrap("list sessions", err)
	}
	out := make([]account.Session, len(rows))
	for i, r := range rows {
		out[i] = r.session()
	}
	return out, nil
}

// revokeSessionSQL keeps when and why a session ended the first time.
const revokeSessionSQL = `
UPDATE sessions SET revoked_at = coalesce(revoked_at, now()), reason = coalesce(reason, $3)
WHERE id = $1 AND user_id = $2 RETURNING ` + sessionColumns

// RevokeSession implements account.Store.
func (s *Store) RevokeSession(ctx context.Context, user, session uuid.UUID) (account.Session, int64, error) {
	var ended account.Session
	var seq int64
	err := s.transactRevoking(ctx, "revoke session", func(tx pgx.Tx) error {
		row, err := one[sessionRow](tx.Query(ctx, revokeSessionSQL, session, user, reasonEnded))
		if err != nil {
			return instead(err, account.ErrSessionNotFound)
		}
		ended = row.session()
		seq, err = s.revokeEnded(ctx, tx, session)
		return err
	})
	return ended, seq, err
}

// EndSession implements account.Store. A service's session has no row: its
// tokens are revoked by the rule alone.
func (s *Store) EndSession(ctx context.Context, session uuid.UUID) (int64, error) {
	var seq int64
	err := s.transactRevoking(ctx, "end session", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE sessions SET revoked_at = coalesce(revoked_at, now()), reason = coalesce(reason, $2) WHERE id = $1`,
			session, reasonEnded)
		if err != nil {
			return err
		}
		seq, err = s.revokeEnded(ctx, tx, session)
		return err
	})
	return seq, err
}

// ruleOfSQL finds a rule about all tokens of an ended session: none was made
// after its end, and the rule is kept until the last one is over.
const ruleOfSQL = `
SELECT r.seq FROM sessions s JOIN revocation_rules r ON r.kind = 'session' AND r.subject = s.id::text AND r.issuer = $2
WHERE s.id = $1 AND r.keep_until >= s.revoked_at + $3::interval
ORDER BY r.seq LIMIT 1`

// revokeEnded revokes the tokens of a session that has ended in this
// transaction or before. If a rule does so already it returns that one's
// position: else one session could be made to fill the feed. The row of the
// session is locked by then, so that of calls at once one makes the rule.
func (s *Store) revokeEnded(ctx context.Context, tx pgx.Tx, session uuid.UUID) (seq int64, err error) {
	err = tx.QueryRow(ctx, ruleOfSQL, session, s.issuer, s.keep).Scan(&seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return s.revokeSessions(ctx, tx, session)
	}
	return seq, err
}
