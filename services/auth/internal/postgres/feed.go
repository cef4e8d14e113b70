package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// Feed is the feed of revocations and the rows of its engines. It is safe for
// concurrent use.
type Feed struct {
	pool *pgxpool.Pool
}

var _ feed.Store = (*Feed)(nil)

// NewFeed returns the feed over the primary.
func NewFeed(pool *pgxpool.Pool) *Feed { return &Feed{pool: pool} }

// renewSQL counts from the start of the statement, which is not later than its
// snapshot: a rule that the snapshot does not hold was committed after `at`. A
// watermark of another generation than the feed's covers nothing.
const renewSQL = `
WITH w AS (
  SELECT statement_timestamp() AS at, greatest(` + watermarkSQL + `, (
    SELECT watermark FROM revocation_engines
    WHERE replica = @replica AND incarnation = @incarnation AND generation = @generation)) AS watermark
), g AS (
  SELECT w.at, w.watermark, least(w.at, (
    SELECT made_at FROM revocation_rules
    WHERE seq > CASE WHEN h.generation::text = @generation THEN w.watermark ELSE 0 END
    ORDER BY seq LIMIT 1)) + @length::interval AS until
  FROM w, revocation_head h
), u AS (
  INSERT INTO revocation_engines AS e (replica, incarnation, generation, watermark, watchers, lapsed, renewals, length, lease_until)
  SELECT @replica, @incarnation, @generation, g.watermark, @watchers, @lapsed, @number::bigint, @length::interval, g.until FROM g
  ON CONFLICT (replica, incarnation) DO UPDATE SET
    ` + progressSQL + `,
    renewals    = excluded.renewals,
    length      = greatest(e.length, excluded.length),
    lease_until = greatest(e.lease_until, excluded.lease_until)
)
SELECT until - at, ` + durableSQL + ` FROM g`

// watermarkSQL is what an engine says that it covers. Nobody can cover what is
// above the head: commits were lost, and their positions are given again.
const watermarkSQL = `(SELECT CASE WHEN @watermark::bigint <= seq THEN @watermark::bigint ELSE 0 END FROM revocation_head)`

// progressSQL raises the watermark within a generation and replaces it with
// that of another.
const progressSQL = `
    watermark   = CASE WHEN e.generation = excluded.generation THEN greatest(e.watermark, excluded.watermark) ELSE excluded.watermark END,
    generation  = excluded.generation,
    watchers    = excluded.watchers,
    lapsed      = excluded.lapsed`

// Renew implements feed.Store.
func (f *Feed) Renew(ctx context.Context, r feed.Renewal) (granted time.Duration, err error) {
	err = f.pool.QueryRow(ctx, renewSQL, pgx.NamedArgs{
		"replica": r.Replica, "incarnation": r.Incarnation,
		"generation": r.Generation, "watermark": r.Watermark,
		"watchers": r.Watchers, "lapsed": r.Lapsed, "number": r.Number, "length": r.Length,
	}).Scan(&granted, nil)
	if err != nil {
		return 0, wrap("renew row lease", err)
	}
	return granted, nil
}

const publishSQL = `
UPDATE revocation_engines e SET ` + progressSQL + `
FROM (SELECT @generation::text AS generation, ` + watermarkSQL + ` AS watermark, @watchers::int AS watchers, @lapsed::bigint AS lapsed) AS excluded
WHERE e.replica = @replica AND e.incarnation = @incarnation`

// Publish implements feed.Store.
func (f *Feed) Publish(ctx context.Context, key feed.RowKey, p feed.Progress) error {
	_, err := f.pool.Exec(ctx, publishSQL, pgx.NamedArgs{
		"replica": key.Replica, "incarnation": key.Incarnation,
		"generation": p.Generation, "watermark": p.Watermark, "watchers": p.Watchers, "lapsed": p.Lapsed,
	})
	if err != nil {
		return wrap("publish watermark", err)
	}
	return nil
}

// readSQL is one statement, so that head and rules are of one moment. WITH TIES
// keeps the rules of one position together.
const readSQL = `
SELECT h.generation::text AS generation, h.seq AS head, r.*
FROM revocation_head h LEFT JOIN LATERAL (
  SELECT seq, part, kind, issuer, subject, epoch, until, keep_until FROM revocation_rules
  WHERE seq > $1 ORDER BY seq FETCH FIRST $2 ROWS WITH TIES
) r ON true
ORDER BY r.seq, r.part`

// Head returns the highest position that is committed.
func (f *Feed) Head(ctx context.Context) (seq int64, err error) {
	if err := f.pool.QueryRow(ctx, headSQL).Scan(&seq); err != nil {
		return 0, wrap("read head", err)
	}
	return seq, nil
}

// feedRow has no rule if there is none.
type feedRow struct {
	Generation string
	Head       int64
	Seq        *int64
	Part       *int32
	Kind       *string
	Issuer     *string
	Subject    *string
	Epoch      *int64
	Until      *time.Time
	KeepUntil  *time.Time
}

// Read implements feed.Store.
func (f *Feed) Read(ctx context.Context, after int64, limit int) (feed.Page, error) {
	rows, err := all[feedRow](f.pool.Query(ctx, readSQL, after, limit))
	if err != nil {
		return feed.Page{}, wrap("read feed", err)
	}
	if len(rows) == 0 {
		return feed.Page{}, errors.New("read feed: it has no head")
	}
	page := feed.Page{Generation: rows[0].Generation, Head: rows[0].Head, Seq: rows[0].Head}
	for _, r := range rows {
		if r.Seq != nil {
			page.Rules = append(page.Rules, r.rule())
		}
	}
	if n := len(page.Rules); n > 0 && n >= limit {
		page.Seq = page.Rules[n-1].Seq
	}
	return page, nil
}

func (r feedRow) rule() revocation.Rule {
	rule := revocation.Rule{Seq: *r.Seq, Kind: ruleKinds[*r.Kind], Issuer: *r.Issuer, ID: *r.Subject, KeepUntil: r.KeepUntil.UTC()}
	if r.Epoch != nil {
		rule.Epoch = *r.Epoch
	}
	if r.Until != nil {
		rule.Until = r.Until.UTC()
	}
	return rule
}

// ruleKinds reads revocation_rules.kind.
//
//nolint:gochecknoglobals // A constant table.
var ruleKinds = func() map[string]revocation.Kind {
	kinds := map[string]revocation.Kind{}
	for k := revocation.KindToken; k <= revocation.KindIssuer; k++ {
		kinds[k.String()] = k
	}
	return kinds
}()

const rowsSQL = `
SELECT replica, incarnation, generation, watermark, watchers, lapsed, renewals, length, lease_until
FROM revocation_engines ORDER BY replica, incarnation LIMIT 1000`

type engineRow struct {
	Replica     string
	Incarnation string
	Generation  string
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
			Progress:   feed.Progress{Generation: r.Generation, Watermark: r.Watermark, Watchers: r.Watchers, Lapsed: r.Lapsed},
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
