package postgres

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres/migrations"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Runner{M: m}) }

const group = "g"

var (
	key     = ledger.Key{Topic: "logs", Partition: 3}
	topicID = uuid.MustParse("00000000-0000-0000-0000-0000000000aa")
	otherID = uuid.MustParse("00000000-0000-0000-0000-0000000000bb")
)

type desk struct {
	url  string
	pool *pgxpool.Pool
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{url: pgtest.Database(t, func(ctx context.Context, url string) error {
		return database.Migrate(ctx, url, "", migrations.FS, slog.New(slog.DiscardHandler))
	})}
	pool, err := database.Open(t.Context(), d.url, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	d.pool = pool
	return d
}

func (d *desk) session(t *testing.T) *Session {
	t.Helper()
	s, err := NewSession(database.Source{URL: d.url}, group, "worker of a test", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func (d *desk) number(t *testing.T, sql string, args ...any) (n int64) {
	t.Helper()
	if err := d.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// take takes the partition and adopts the topic's id.
func take(t *testing.T, s *Session) ledger.Lease {
	t.Helper()
	l, err := s.Take(t.Context(), ledger.Grant{Key: key, Token: uuid.New()}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if l.TopicID != uuid.Nil {
		return l
	}
	l, err = s.Correct(t.Context(), l, ledger.Finding{Kind: ledger.Adopted, Next: l.Next, TopicID: topicID, LeaderEpoch: -1})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// rows is a batch of n records from the lease's position on.
func rows(l ledger.Lease, n int) *batch.Batch {
	var encoded encode.Rows
	for i := range n {
		id := encode.Identity{Topic: l.Topic, TopicID: l.TopicID, Partition: l.Partition, Offset: l.Next + int64(i), Timestamp: 1_790_000_000_000_000}
		encoded.Append(&id, record.Undated, 1_790_000_000_000_000, &record.Record{Body: []byte("x")})
	}
	return &batch.Batch{Parts: []batch.Part{{
		Lease: l, To: l.Next + int64(n), Stored: int64(n), Rows: [][]byte{encoded.Slice(0, n)},
	}}}
}

func commit(t *testing.T, s *Session, l ledger.Lease, n int) ledger.Lease {
	t.Helper()
	if err := s.Commit(t.Context(), rows(l, n)); err != nil {
		t.Fatal(err)
	}
	l.Next += int64(n)
	l.LeaderEpoch = 0
	return l
}

func wantFenced(t *testing.T, err error) {
	t.Helper()
	var fenced *ledger.FencedError
	if !errors.As(err, &fenced) || fenced.Key != key {
		t.Errorf("error is %v, want fenced %s", err, key)
	}
}
