package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/keyset/keysettest"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres/migrations"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

var (
	noon    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	topicID = uuid.MustParse("00000000-0000-0000-0000-0000000000aa")
)

type desk struct {
	url     string
	pool    *pgxpool.Pool
	session *postgres.Session
	lease   ledger.Lease
	logs    *LogQuery
	pipe    *Pipeline
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{url: pgtest.Database(t, func(ctx context.Context, url string) error {
		return database.Migrate(ctx, url, "", migrations.FS, slog.New(slog.DiscardHandler))
	})}
	var err error
	if d.pool, err = database.Open(t.Context(), d.url, "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.pool.Close)
	if d.session, err = postgres.NewSession(database.Source{URL: d.url}, "g", "test", false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.session.Close(context.Background()) })
	keys := keysettest.New(t)
	pages, reader := pagetoken.New(keys), &postgres.Reader{Pool: d.pool, Group: "g"}
	d.logs = &LogQuery{Store: reader, Tails: query.NewTails(reader), Pages: pages, Now: func() time.Time { return noon }}
	d.pipe = &Pipeline{Group: "g", Ledger: reader, Pages: pages}
	d.lease, err = d.session.Take(t.Context(), ledger.Grant{Key: ledger.Key{Topic: "logs"}, Token: uuid.New()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	adopted := ledger.Finding{Kind: ledger.Adopted, TopicID: topicID, LeaderEpoch: -1}
	if d.lease, err = d.session.Correct(t.Context(), d.lease, adopted); err != nil {
		t.Fatal(err)
	}
	return d
}

// store stores n records, one each second before noon, the last one newest.
func (d *desk) store(t *testing.T, n int, change func(i int, r *record.Record)) {
	t.Helper()
	var rows encode.Rows
	for i := range n {
		at := noon.Add(-time.Duration(n-i) * time.Second).UnixMicro()
		r := &record.Record{Timestamp: at, HasTimestamp: true, SeverityNumber: 9, Body: fmt.Appendf(nil, "record %d", i), Service: []byte("orders")}
		if change != nil {
			change(i, r)
		}
		id := encode.Identity{Topic: "logs", TopicID: topicID, Offset: d.lease.Next + int64(i), Timestamp: at}
		rows.Append(&id, record.Day(r, at, 30), time.Now().UnixMicro(), r)
	}
	d.commit(t, &batch.Batch{Parts: []batch.Part{{Lease: d.lease, To: d.lease.Next + int64(n), Stored: int64(n), Rows: [][]byte{rows.Slice(0, n)}}}})
}

func (d *desk) commit(t *testing.T, b *batch.Batch) {
	t.Helper()
	if err := d.session.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	d.lease.Next = b.Parts[0].To
}
