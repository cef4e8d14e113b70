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
	Watchers []reportedWatcher `json:"watchers"`
	Receipts []reportedReceipt `json:"receipts"`
}

// reportedWatcher is a feed.Watcher.
type reportedWatcher struct {
	Principal   string    `json:"principal"`
	ReplicaID   string    `json:"replica"`
	Incarnation string    `json:"incarnation"`
	AckedSeq    int64     `json:"acked"`
	LeaseUntil  time.Time `json:"lease_until"`
}

// reportedReceipt is a feed.Receipt.
type reportedReceipt struct {
	Seq     int64         `json:"seq"`
	Acked   int32         `json:"acked"`
	Expired int32         `json:"expired"`
	Waited  time.Duration `json:"waited_ns"`
}

func bodyOf(r feed.Report) reportBody {
	var b reportBody
	for _, w := range r.Watchers {
		b.Watchers = append(b.Watchers, reportedWatcher(w))
	}
	for _, receipt := range r.Receipts {
		b.Receipts = append(b.Receipts, reportedReceipt(receipt))
	}
	return b
}

func (b reportBody) report() feed.Report {
	var r feed.Report
	for _, w := range b.Watchers {
		r.Watchers = append(r.Watchers, feed.Watcher(w))
	}
	for _, receipt := range b.Receipts {
		r.Receipts = append(r.Receipts, feed.Receipt(receipt))
	}
	return r
}

const putReportSQL = `
INSERT INTO revocation_reports (replica, incarnation, at, body) VALUES ($1, $2, clock_timestamp(), $3)
ON CONFLICT (replica, incarnation) DO UPDATE SET at = excluded.at, body = excluded.body`

// Put implements feed.Directory.
func (f *Feed) Put(ctx context.Context, r feed.Report) error {
	body, err := json.Marshal(bodyOf(r))
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
		out[i] = body.report()
		out[i].Server, out[i].At = feed.RowKey{Replica: r.Replica, Incarnation: r.Incarnation}, r.At
	}
	return out, nil
}
