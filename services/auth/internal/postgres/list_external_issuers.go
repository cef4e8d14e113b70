package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

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
