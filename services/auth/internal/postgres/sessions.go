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

const endSessionsSQL = `
UPDATE sessions SET revoked_at = now(), reason = $2
WHERE user_id = $1 AND revoked_at IS NULL RETURNING id, device, native`

type endedRow struct {
	ID     uuid.UUID
	Device string
	Native bool
}

func endSessions(ctx context.Context, tx pgx.Tx, user uuid.UUID, reason int) ([]endedRow, error) {
	return all[endedRow](tx.Query(ctx, endSessionsSQL, user, reason))
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
