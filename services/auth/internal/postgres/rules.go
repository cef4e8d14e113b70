package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Kinds of rules, as revocation_rules.kind.
const (
	kindToken   = "token"
	kindSession = "session"
	kindEpoch   = "epoch"
	kindKey     = "key"
)

// appendSessionRulesSQL takes the positions and writes the rules in one
// statement. It must be the last of its transaction.
const appendSessionRulesSQL = `
WITH h AS (
  UPDATE revocation_head SET seq = seq + cardinality(@sessions::text[]) RETURNING seq
), r AS (
  INSERT INTO revocation_rules (seq, kind, subject, keep_until)
  SELECT h.seq - cardinality(@sessions::text[]) + o.n, @kind, o.id, now() + @keep::interval
  FROM h, unnest(@sessions::text[]) WITH ORDINALITY AS o(id, n)
)
SELECT seq FROM h`

// revokeSessions adds a rule for each session and returns the position of the
// last; 0 for none.
func (s *Store) revokeSessions(ctx context.Context, tx pgx.Tx, sessions []uuid.UUID) (seq int64, err error) {
	if len(sessions) == 0 {
		return 0, nil
	}
	ids := make([]string, len(sessions))
	for i, id := range sessions {
		ids[i] = id.String()
	}
	err = tx.QueryRow(ctx, appendSessionRulesSQL, pgx.NamedArgs{
		"sessions": ids, "kind": kindSession, "keep": s.keep,
	}).Scan(&seq)
	return seq, err
}

const appendEpochRuleSQL = `
WITH h AS (
  UPDATE revocation_head SET seq = seq + 1 RETURNING seq
), r AS (
  INSERT INTO revocation_rules (seq, kind, subject, epoch, keep_until)
  SELECT h.seq, @kind, @user, @epoch, now() + @keep::interval FROM h
)
SELECT seq FROM h`

// revokeEpochs revokes every token of the user below epoch. It must be the last
// statement of its transaction.
func (s *Store) revokeEpochs(ctx context.Context, tx pgx.Tx, user uuid.UUID, epoch int64) (seq int64, err error) {
	err = tx.QueryRow(ctx, appendEpochRuleSQL, pgx.NamedArgs{
		"user": user.String(), "epoch": epoch, "kind": kindEpoch, "keep": s.keep,
	}).Scan(&seq)
	return seq, err
}
