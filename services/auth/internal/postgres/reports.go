package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

var _ feed.Directory = (*Feed)(nil)

// reportBody is how a report is stored.
type reportBody struct {
	Watchers []feed.Watcher
	Receipts []feed.Receipt
}

const putReportSQL = `
INSERT INTO revocation_reports (replica, incarnation, at, body) VALUES ($1, $2, clock_timestamp(), $3)
ON CONFLICT (replica, incarnation) DO UPDATE SET at = excluded.at, body = excluded.body`

// Put implements feed.Directory.
func (f *Feed) Put(ctx context.Context, r feed.Report) error {
	body, err := json.Marshal(reportBody{Watchers: r.Watchers, Receipts: r.Receipts})
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if _, err := f.pool.Exec(ctx, putReportSQL, r.Server.Replica, r.Server.Incarnation, body); err != nil {
		return wrap("put report", err)
	}
	return nil
}

const reportsSQL = `
SELECT replica, incarnation, at, body
FROM revocation_reports JOIN revocation_engines USING (replica, incarnation)
ORDER BY replica, incarnation LIMIT 1000`

type reportRow struct {
	Replica     string
	Incarnation string
	At          time.Time
	Body        []byte
}

// List implements feed.Directory.
func (f *Feed) List(ctx context.Context) ([]feed.Report, error) {
	rows, err := all[reportRow](f.pool.Query(ctx, reportsSQL))
	if err != nil {
		return nil, wrap("list reports", err)
	}
	out := make([]feed.Report, len(rows))
	for i, r := range rows {
		var body reportBody
		if err := json.Unmarshal(r.Body, &body); err != nil {
			return nil, fmt.Errorf("decode report of %s: %w", r.Replica, err)
		}
		out[i] = feed.Report{
			Server: feed.RowKey{Replica: r.Replica, Incarnation: r.Incarnation}, At: r.At,
			Watchers: body.Watchers, Receipts: body.Receipts,
		}
	}
	return out, nil
}
