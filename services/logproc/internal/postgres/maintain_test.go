package postgres

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres/migrations"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

const parts = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'logs'::regclass"

func TestDaysArePreparedOnceAndDroppedBelowTheHorizon(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	today := int32(d.number(t, "SELECT current_date - date '1970-01-01'"))
	for _, day := range []int32{today, today, today - 400, today + 30} {
		if err := s.PrepareDay(t.Context(), day, 30); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.number(t, parts); n != 2 {
		t.Errorf("%d partitions, want the default one and today's", n)
	}
	if err := s.PrepareDay(t.Context(), today-20, 30); err != nil {
		t.Fatal(err)
	}
	books := &Books{Pool: d.pool, Group: group}
	if err := books.Maintain(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	if n := d.number(t, parts); n != 4 {
		t.Errorf("%d partitions, want the default one, today's and two ahead", n)
	}
}

// serving migrates as the owner and returns a desk whose URL and pool are those
// of a role that may do what serving needs, and no more.
func serving(t *testing.T) *desk {
	t.Helper()
	owner := pgtest.Database(t, nil)
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	role := "serving_" + strings.TrimPrefix(strings.TrimPrefix(u.Path, "/"), "test_")
	execute := func(ctx context.Context, statement string) {
		conn, err := pgx.Connect(ctx, owner)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Error(err)
		}
	}
	execute(t.Context(), "CREATE ROLE "+role+" LOGIN PASSWORD 'serving'")
	t.Cleanup(func() { execute(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	if err := database.Migrate(t.Context(), owner, role, migrations.FS, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "serving")
	d := &desk{url: u.String()}
	if d.pool, err = database.Open(t.Context(), d.url, "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.pool.Close)
	return d
}

// dated is a batch of one record for each day.
func dated(l ledger.Lease, days ...int32) *batch.Batch {
	var encoded encode.Rows
	now := time.Now().UnixMicro()
	for i, day := range days {
		id := encode.Identity{Topic: l.Topic, TopicID: l.TopicID, Partition: l.Partition, Offset: l.Next + int64(i), Timestamp: now}
		encoded.Append(&id, day, now, &record.Record{Body: []byte("x")})
	}
	n := len(days)
	return &batch.Batch{Parts: []batch.Part{{Lease: l, To: l.Next + int64(n), Stored: int64(n), Rows: [][]byte{encoded.Slice(0, n)}}}}
}

func (d *desk) today(t *testing.T) int32 {
	t.Helper()
	return int32(d.number(t, "SELECT current_date - date '1970-01-01'"))
}

func TestTheServingRoleStoresEachRowInThePartitionOfItsDay(t *testing.T) {
	d := serving(t)
	books := &Books{Pool: d.pool, Group: group}
	if err := books.Maintain(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	s := d.session(t)
	l := take(t, s)
	today := d.today(t)
	if err := s.PrepareDay(t.Context(), today-5, 30); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), dated(l, today-5, today, today+1, today+2)); err != nil {
		t.Fatal(err)
	}
	if n := d.number(t, "SELECT count(*) FROM logs_default"); n != 0 {
		t.Errorf("%d rows are in the default partition", n)
	}
	if n := d.number(t, "SELECT count(*) FROM logs WHERE tableoid::regclass::text = 'logs_' || to_char(day, 'YYYYMMDD')"); n != 4 {
		t.Errorf("%d rows are in the partition of their day", n)
	}
}

func TestRowsThatCameBeforeTheirDayWasDueMoveToItsPartition(t *testing.T) {
	d := serving(t)
	s := d.session(t)
	today := d.today(t)
	if err := s.Commit(t.Context(), dated(take(t, s), today+1, today+1, today+9)); err != nil {
		t.Fatal(err)
	}
	books := &Books{Pool: d.pool, Group: group}
	if err := books.Maintain(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	if n := d.number(t, "SELECT count(*) FROM logs_default"); n != 1 {
		t.Errorf("%d rows are in the default partition, want that of no day yet", n)
	}
	if n := d.number(t, "SELECT count(*) FROM logs WHERE tableoid::regclass::text = 'logs_' || to_char(day, 'YYYYMMDD')"); n != 2 {
		t.Errorf("%d rows are in the partition of their day", n)
	}
}

func TestTheDefaultPartitionKeepsNothingBelowTheHorizon(t *testing.T) {
	d := serving(t)
	s := d.session(t)
	today := d.today(t)
	if err := s.Commit(t.Context(), dated(take(t, s), today-40, today-20, today+900, record.Undated)); err != nil {
		t.Fatal(err)
	}
	books := &Books{Pool: d.pool, Group: group}
	remaining := func() int64 {
		if err := books.Maintain(t.Context(), 30); err != nil {
			t.Fatal(err)
		}
		return d.number(t, "SELECT count(*) FROM logs_default")
	}
	if n := remaining(); n != 3 {
		t.Errorf("%d rows, want all but that below the horizon", n)
	}
	if _, err := d.pool.Exec(t.Context(), "UPDATE logs_default SET observed_timestamp = now() - interval '31 days' WHERE day IS NULL OR day > current_date"); err != nil {
		t.Fatal(err)
	}
	if n := remaining(); n != 1 {
		t.Errorf("%d rows, want only the one that is neither old nor read long ago", n)
	}
}

func TestAStepOfTheMaintenanceThatFailsDoesNotHideTheNext(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	commit(t, s, take(t, s), 1)
	if _, err := d.pool.Exec(t.Context(), "UPDATE batches SET at = now() - interval '31 days'; DROP FUNCTION logs_prepare; DROP FUNCTION logs_expire"); err != nil {
		t.Fatal(err)
	}
	books := &Books{Pool: d.pool, Group: group}
	err := books.Maintain(t.Context(), 30)
	if err == nil || !strings.Contains(err.Error(), "prepare day") || !strings.Contains(err.Error(), "expire") {
		t.Errorf("error is %v", err)
	}
	if n := d.number(t, "SELECT count(*) FROM batches"); n != 0 {
		t.Errorf("%d accounts of batches are kept", n)
	}
}
