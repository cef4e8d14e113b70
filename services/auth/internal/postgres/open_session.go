package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// lockVerifiedSQL admits a login only if what was verified is still so. The
// lock serialises logins with each other (the cap), with ChangePassword and
// with Deactivate; FOR KEY SHARE would not: it does not conflict with UPDATE.
const lockVerifiedSQL = `
SELECT roles FROM users
WHERE id = @user AND active AND cred_version = @cred AND epoch = @epoch
FOR NO KEY UPDATE`

const evictSQL = `
WITH over AS (
  SELECT id FROM sessions
  WHERE user_id = @user AND revoked_at IS NULL AND expires_at > now() AND rotated_at > now() - @idle::interval
  ORDER BY rotated_at DESC, id DESC OFFSET @cap - 1 FOR UPDATE
)
UPDATE sessions s SET revoked_at = now(), reason = @reason
FROM over WHERE s.id = over.id AND s.revoked_at IS NULL RETURNING s.id`

const insertSessionSQL = `
INSERT INTO sessions (id, user_id, device, native, token_kid, jti, expires_at)
VALUES (@id, @user, @device, @native, @kid, @jti, now() + @absolute::interval)
RETURNING id, user_id, gen, token_kid, jti, rotated_at AS issued_at, auth_time`

// OpenSession implements account.Store.
func (s *Store) OpenSession(ctx context.Context, n account.NewSession) (account.Generation, error) {
	var g account.Generation
	release := func() {}
	defer func() { release() }()
	err := s.transact(ctx, "open session", func(tx pgx.Tx) error {
		var roles []string
		if err := tx.QueryRow(ctx, lockVerifiedSQL, sessionArgs(n)).Scan(&roles); err != nil {
			return instead(err, account.ErrAccountChanged)
		}
		rows, err := tx.Query(ctx, evictSQL, sessionArgs(n))
		if err != nil {
			return err
		}
		evicted, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		if g, err = insertSession(ctx, tx, n, n.Epoch, roles); err != nil {
			return err
		}
		if len(evicted) == 0 {
			return nil
		}
		leave, err := s.enterRevoking(ctx)
		if err != nil {
			return err
		}
		// The place is taken until the commit, which is what frees the head.
		release = leave
		_, err = s.revokeSessions(ctx, tx, evicted...)
		return err
	})
	return g, err
}

func sessionArgs(n account.NewSession) pgx.NamedArgs {
	return pgx.NamedArgs{
		"id": n.ID, "user": n.UserID, "device": n.Device, "native": n.Native,
		"kid": int64(n.MACKey), "jti": n.TokenID, "absolute": n.Absolute,
		"cred": n.CredVersion, "epoch": n.Epoch,
		"cap": n.Cap, "idle": n.Idle, "reason": reasonEvicted,
	}
}

// insertSession makes the first generation. The transaction holds the user's
// row; epoch and roles are of that row version, and rotated_at, from which the
// life of the token counts, is not later than its reading.
func insertSession(ctx context.Context, tx pgx.Tx, n account.NewSession, epoch int64, roles []string) (account.Generation, error) {
	row, err := one[generationRow](tx.Query(ctx, insertSessionSQL, sessionArgs(n)))
	if err != nil {
		return account.Generation{}, err
	}
	return row.generation(epoch, roles), nil
}
