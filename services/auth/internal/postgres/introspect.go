package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// liveSQL answers from the rows themselves and not from what any replica has
// heard. A service has no session row; its tokens are live unless a rule says
// otherwise.
const liveSQL = `
SELECT NOT EXISTS (
    SELECT 1 FROM revocation_rules
    WHERE issuer = @issuer AND (
      (kind = 'token' AND subject = @jti) OR (kind = 'session' AND subject = @sid) OR (kind = 'key' AND subject = @kid)
      OR (kind = 'subject_epoch' AND subject = @sub AND epoch > @epoch)
      OR (kind = 'subject_block' AND subject = @sub AND until > now())
      OR (kind = 'issuer' AND subject = ''))
  ) AND (@service OR EXISTS (
    SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = @sid::uuid AND u.id = @sub_id::uuid AND u.active AND u.epoch <= @epoch
      AND s.revoked_at IS NULL AND s.expires_at > now()
  ))`

// Live says whether a token that was verified is revoked by nothing that is
// committed now.
func (s *Store) Live(ctx context.Context, id *identity.Identity) (bool, error) {
	args := pgx.NamedArgs{
		"issuer": id.Issuer, "jti": id.TokenID, "sid": id.SessionID, "kid": id.KeyID, "sub": id.Subject,
		"epoch": id.Epoch, "service": id.IsService(), "sub_id": nil,
	}
	if !id.IsService() {
		args["sub_id"] = id.Subject
	}
	var live bool
	if err := s.pool.QueryRow(ctx, liveSQL, args).Scan(&live); err != nil {
		return false, wrap("introspect", err)
	}
	return live, nil
}
