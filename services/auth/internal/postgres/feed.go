package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// Feed is the feed of revocations and the rows of its engines. It is safe for
// concurrent use.
type Feed struct {
	pool   *pgxpool.Pool
	issuer string
}

var _ feed.Store = (*Feed)(nil)

// NewFeed returns the feed of the tokens of issuer over the primary.
func NewFeed(pool *pgxpool.Pool, issuer string) *Feed { return &Feed{pool: pool, issuer: issuer} }

// renewSQL counts from the start of the statement, which is not later than its
// snapshot: a rule that the snapshot does not hold was committed after `at`.
const renewSQL = `
WITH w AS (
  SELECT statement_timestamp() AS at, greatest(@watermark::bigint, (
    SELECT watermark FROM revocation_engines WHERE replica = @replica AND incarnation = @incarnation)) AS watermark
), g AS (
  SELECT w.at, w.watermark, least(w.at, (
    SELECT made_at FROM revocation_rules WHERE seq > w.watermark ORDER BY seq LIMIT 1)) + @length::interval AS until
  FROM w
), u AS (
  INSERT INTO revocation_engines AS e (replica, incarnation, watermark, watchers, lapsed, renewals, length, lease_until)
  SELECT @replica, @incarnation, g.watermark, @watchers, @lapsed, 1, @length::interval, g.until FROM g
  ON CONFLICT (replica, incarnation) DO UPDATE SET
    watermark   = greatest(e.watermark, excluded.watermark),
    watchers    = excluded.watchers,
    lapsed      = excluded.lapsed,
    renewals    = e.renewals + 1,
    length      = greatest(e.length, excluded.length),
    lease_until = greatest(e.lease_until, excluded.lease_until)
)
SELECT until - at FROM g`

// Renew implements feed.Store.
func (f *Feed) Renew(ctx context.Context, r feed.Renewal) (granted time.Duration, err error) {
	err = f.pool.QueryRow(ctx, renewSQL, pgx.NamedArgs{
		"replica": r.Replica, "incarnation": r.Incarnation, "watermark": r.Watermark,
		"watchers": r.Watchers, "lapsed": r.Lapsed, "length": r.Length,
	}).Scan(&granted)
	if err != nil {
		return 0, wrap("renew row lease", err)
	}
	return granted, nil
}

const publishSQL = `
UPDATE revocation_engines SET watermark = greatest(watermark, $3), watchers = $4, lapsed = $5
WHERE replica = $1 AND incarnation = $2`

// Publish implements feed.Store.
func (f *Feed) Publish(ctx context.Context, key feed.RowKey, p feed.Progress) error {
	if _, err := f.pool.Exec(ctx, publishSQL, key.Replica, key.Incarnation, p.Watermark, p.Watchers, p.Lapsed); err != nil {
		return wrap("publish watermark", err)
	}
	return nil
}

// readSQL is one statement, so that head and rules are of one moment; with a
// rule per position a page never cuts one.
const readSQL = `
SELECT h.generation::text AS generation, h.seq AS head, r.seq, r.kind, r.subject, r.epoch, r.keep_until
FROM revocation_head h LEFT JOIN LATERAL (
  SELECT seq, kind, subject, epoch, keep_until FROM revocation_rules WHERE seq > $1 ORDER BY seq LIMIT $2
) r ON true
ORDER BY r.seq`

type feedRow struct {
	Generation string
	Head       int64
	Seq        *int64
	Kind       *string
	Subject    *string
	Epoch      *int64
	KeepUntil  *time.Time
}

// Read implements feed.Store.
func (f *Feed) Read(ctx context.Context, after int64, limit int) (feed.Page, error) {
	rows, err := all[feedRow](f.pool.Query(ctx, readSQL, after, limit))
	if err != nil || len(rows) == 0 {
		return feed.Page{}, fmt.Errorf("read feed of %d rows: %w", len(rows), err)
	}
	page := feed.Page{Generation: rows[0].Generation, Head: rows[0].Head, Seq: rows[0].Head}
	for _, r := range rows {
		if r.Seq == nil {
			continue
		}
		page.Rules = append(page.Rules, f.rule(r))
	}
	if n := len(page.Rules); n > 0 && n == limit {
		page.Seq = page.Rules[n-1].Seq
	}
	return page, nil
}

func (f *Feed) rule(r feedRow) revocation.Rule {
	rule := revocation.Rule{Seq: *r.Seq, Kind: ruleKinds[*r.Kind], Issuer: f.issuer, ID: *r.Subject, KeepUntil: *r.KeepUntil}
	if r.Epoch != nil {
		rule.Epoch = *r.Epoch
	}
	return rule
}

//nolint:gochecknoglobals // A constant table.
var ruleKinds = map[string]revocation.Kind{
	kindToken:   revocation.KindToken,
	kindSession: revocation.KindSession,
	kindEpoch:   revocation.KindSubjectEpoch,
	kindKey:     revocation.KindKey,
}

const rowsSQL = `
SELECT replica, incarnation, watermark, watchers, lapsed, renewals, length, lease_until
FROM revocation_engines ORDER BY replica, incarnation LIMIT 1000`

type engineRow struct {
	Replica     string
	Incarnation string
	Watermark   int64
	Watchers    int32
	Lapsed      int64
	Renewals    int64
	Length      time.Duration
	LeaseUntil  time.Time
}

// Rows implements feed.Store.
func (f *Feed) Rows(ctx context.Context) ([]feed.Row, error) {
	rows, err := all[engineRow](f.pool.Query(ctx, rowsSQL))
	if err != nil {
		return nil, wrap("list row leases", err)
	}
	out := make([]feed.Row, len(rows))
	for i, r := range rows {
		out[i] = feed.Row{
			RowKey:     feed.RowKey{Replica: r.Replica, Incarnation: r.Incarnation},
			Progress:   feed.Progress{Watermark: r.Watermark, Watchers: r.Watchers, Lapsed: r.Lapsed},
			Renewals:   r.Renewals,
			Length:     r.Length,
			LeaseUntil: r.LeaseUntil,
		}
	}
	return out, nil
}

// Remove implements feed.Store.
func (f *Feed) Remove(ctx context.Context, key feed.RowKey, renewals int64) error {
	_, err := f.pool.Exec(ctx, `
DELETE FROM revocation_engines WHERE replica = $1 AND incarnation = $2 AND ($4 OR renewals = $3)`,
		key.Replica, key.Incarnation, renewals, renewals == feed.AnyRenewals)
	if err != nil {
		return wrap("remove row lease", err)
	}
	return nil
}
