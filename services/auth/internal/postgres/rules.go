package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// appendRulesSQL takes the next position and writes the rules in one statement,
// which must be the last of its transaction: everything that revokes waits for
// the row of the head from here to the commit. A process that is paused or cut
// off in between loses the transaction after 2 s, and everybody else goes on.
const appendRulesSQL = `
WITH h AS (
  UPDATE revocation_head SET seq = seq + 1 RETURNING seq
), r AS (
  INSERT INTO revocation_rules (seq, part, kind, issuer, subject, epoch, until, keep_until)
  SELECT h.seq, o.part, o.kind, o.issuer, o.subject, o.epoch, o.until, coalesce(o.keep_until, now() + @keep::interval)
  FROM h, unnest(@kinds::text[], @issuers::text[], @subjects::text[], @epochs::bigint[], @untils::timestamptz[], @keeps::timestamptz[])
    WITH ORDINALITY AS o(kind, issuer, subject, epoch, until, keep_until, part)
)
SELECT seq, ` + durableSQL + `, set_config('idle_in_transaction_session_timeout', '2s', true) FROM h`

// durableSQL makes the commit of the transaction wait for the disk where the
// server is set not to: an engine must not have read, or rely on, what a crash
// takes back.
const durableSQL = `CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END`

// Append writes rules of one transaction and returns their position. A rule
// without KeepUntil is kept until no token that it is about can be valid.
func (s *Store) Append(ctx context.Context, tx pgx.Tx, rules ...revocation.Rule) (seq int64, err error) {
	var kinds, issuers, subjects []string
	var epochs []*int64
	var untils, keeps []*time.Time
	for _, r := range rules {
		kinds = append(kinds, r.Kind.String())
		issuers = append(issuers, r.Issuer)
		subjects = append(subjects, r.ID)
		epochs = append(epochs, nullable(r.Epoch, r.Kind == revocation.KindSubjectEpoch))
		untils = append(untils, nullable(r.Until, r.Kind == revocation.KindSubjectBlock))
		keeps = append(keeps, nullable(r.KeepUntil, !r.KeepUntil.IsZero()))
	}
	err = tx.QueryRow(ctx, appendRulesSQL, pgx.NamedArgs{
		"kinds": kinds, "issuers": issuers, "subjects": subjects, "epochs": epochs,
		"untils": untils, "keeps": keeps, "keep": s.keep,
	}).Scan(&seq, nil, nil)
	return seq, err
}

// nullable is v, or NULL if there is none.
func nullable[T any](v T, is bool) *T {
	if !is {
		return nil
	}
	return &v
}

const headSQL = `SELECT seq FROM revocation_head`

// revokeSessions revokes every token of the sessions. If there are none it
// returns the head as it is: what an earlier call has revoked is not after it.
func (s *Store) revokeSessions(ctx context.Context, tx pgx.Tx, sessions ...uuid.UUID) (seq int64, err error) {
	if len(sessions) == 0 {
		err = tx.QueryRow(ctx, headSQL).Scan(&seq)
		return seq, err
	}
	rules := make([]revocation.Rule, len(sessions))
	for i, id := range sessions {
		rules[i] = revocation.Rule{Kind: revocation.KindSession, Issuer: s.issuer, ID: id.String()}
	}
	return s.Append(ctx, tx, rules...)
}

// revokeEpochs revokes every token of the user below epoch.
func (s *Store) revokeEpochs(ctx context.Context, tx pgx.Tx, user uuid.UUID, epoch int64) (seq int64, err error) {
	return s.Append(ctx, tx, revocation.Rule{
		Kind: revocation.KindSubjectEpoch, Issuer: s.issuer, ID: user.String(), Epoch: epoch,
	})
}
