package postgres

import (
	"context"
	"time"

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

// insertSessionSQL: nobody has authenticated later than now, whatever the clock
// of another issuer says.
const insertSessionSQL = `
INSERT INTO sessions (id, user_id, device, native, token_kid, jti, expires_at, auth_time, external_issuer, external_sid)
VALUES (@id, @user, @device, @native, @kid, @jti, now() + @absolute::interval,
  least(now(), @auth_time::timestamptz), @external_issuer, nullif(@external_sid, ''))
RETURNING id, user_id, gen, token_kid, jti, rotated_at AS issued_at, auth_time`

// OpenSession implements account.Store.
func (s *Store) OpenSession(ctx context.Context, n account.NewSession) (g account.Generation, err error) {
	err = s.transactOpening(ctx, "open session", func(tx opening) error {
		var roles []string
		if err := tx.QueryRow(ctx, lockVerifiedSQL, sessionArgs(n)).Scan(&roles); err != nil {
			return instead(err, account.ErrAccountChanged)
		}
		g, err = s.open(ctx, tx, n, n.Epoch, roles)
		return err
	})
	return g, err
}

// opening is a transaction that opens a session, and takes a place among those
// that revoke only if it has something to revoke.
type opening struct {
	pgx.Tx

	// leave is set with the place: it is taken until the commit, which is what
	// frees the head.
	leave *func()
}

// transactOpening is transact for what opens a session.
func (s *Store) transactOpening(ctx context.Context, what string, do func(opening) error) error {
	leave := func() {}
	defer func() { leave() }()
	return s.transact(ctx, what, func(tx pgx.Tx) error { return do(opening{tx, &leave}) })
}

// open evicts what is above the cap, inserts, and revokes what it evicted, the
// head last. The transaction holds the row of the user, whose epoch and roles
// are those given.
func (s *Store) open(ctx context.Context, tx opening, n account.NewSession, epoch int64, roles []string) (account.Generation, error) {
	evicted, err := column[uuid.UUID](tx.Query(ctx, evictSQL, sessionArgs(n)))
	if err != nil {
		return account.Generation{}, err
	}
	g, err := insertSession(ctx, tx, n, epoch, roles)
	if err != nil || len(evicted) == 0 {
		return g, err
	}
	leave, err := s.enterRevoking(ctx)
	if err != nil {
		return account.Generation{}, err
	}
	*tx.leave = leave
	_, err = s.revokeSessions(ctx, tx, evicted...)
	return g, err
}

func sessionArgs(n account.NewSession) pgx.NamedArgs {
	args := pgx.NamedArgs{
		"id": n.ID, "user": n.UserID, "device": n.Device, "native": n.Native,
		"kid": int64(n.MACKey), "jti": n.TokenID, "absolute": n.Absolute,
		"cred": n.CredVersion, "epoch": n.Epoch,
		"cap": n.Cap, "idle": n.Idle, "reason": reasonEvicted,
		"auth_time": nil, "external_issuer": nil, "external_sid": "", // a password, now
	}
	if o := n.Origin; o != nil {
		args["auth_time"], args["external_issuer"], args["external_sid"] = authTime(o.AuthTime), o.Issuer, o.SessionID
	}
	return args
}

// authTime is a time that is older than every age that a method allows, if the
// issuer does not say.
func authTime(at time.Time) time.Time {
	if at.IsZero() {
		return time.Unix(0, 0)
	}
	return at
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
