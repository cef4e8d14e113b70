// Package logs measures services/logproc against the physical limit of its
// database: COPY of the same rows through psql into the same kind of table.
package logs

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/e2e/lostlogs"
	"github.com/curfew-platform/curfew/e2e/stand"
)

const (
	partitions = 16
	pollEvery  = 5 * time.Millisecond
	limit      = 3 * time.Minute
)

// Run measures rows per second, pairs times, with the given number of records each.
func Run(ctx context.Context, s *stand.Stand, pairs, records int) (ratio.Result, error) {
	b := &bench{stand: s, records: records, id: "bench-" + strings.ToLower(rand.Text()[:6])}
	dir, err := os.MkdirTemp("", "curfew-bench-*")
	if err != nil {
		return ratio.Result{}, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	b.file = filepath.Join(dir, "rows.bin")
	if b.conn, err = stand.Connect(ctx, s.LogprocOwner); err != nil {
		return ratio.Result{}, err
	}
	defer b.conn.Close(ctx)
	// The first run fills the table that psql's rows are taken from; it warms
	// everything and is not counted.
	if _, err := b.pipeline(ctx); err != nil {
		return ratio.Result{}, err
	}
	if err := b.export(ctx); err != nil {
		return ratio.Result{}, err
	}
	measured, err := ratio.Measure(pairs,
		func() (float64, error) { return b.pipeline(ctx) },
		func() (float64, error) { return b.copyIn(ctx) })
	return ratio.Result{
		Name: fmt.Sprintf("logproc, %d records: Kafka to PostgreSQL / COPY of the same rows through psql", records),
		Unit: "rows/s", Goal: 0.6, Pairs: measured,
	}, err
}

type bench struct {
	stand   *stand.Stand
	conn    *pgx.Conn
	records int
	id      string
	file    string
	runs    int
	topic   string // of the last run
}

// pipeline fills a topic, starts a processor on it and returns the rows per
// second from its first commit to its last.
func (b *bench) pipeline(ctx context.Context) (float64, error) {
	b.runs++
	b.topic = fmt.Sprintf("%s-%d", b.id, b.runs)
	if err := lostlogs.CreateTopic(ctx, b.stand.Brokers, b.topic, partitions); err != nil {
		return 0, err
	}
	if err := lostlogs.Fill(ctx, b.stand.Brokers, b.topic, partitions, b.records); err != nil {
		return 0, err
	}
	p, err := b.stand.StartService(ctx, "logproc", nil, "--topics", b.topic, "--group", b.topic,
		"--instance-id", b.topic+"-0", "--log-kafka-brokers", "")
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	first, start, err := b.reach(ctx, 1)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	last, end, err := b.reach(ctx, int64(b.records))
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	if _, _, err := p.Stop(30 * time.Second); err != nil {
		return 0, err
	}
	return float64(last-first) / end.Sub(start).Seconds(), nil
}

// reach waits until the ledger is at n records.
func (b *bench) reach(ctx context.Context, n int64) (int64, time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%d records are not stored after %v", n, limit))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var have int64
		if err := b.conn.QueryRow(ctx, "SELECT coalesce(sum(next_off), 0)::bigint FROM ledger WHERE topic = $1", b.topic).Scan(&have); err != nil {
			return 0, time.Time{}, fmt.Errorf("read ledger: %w", err)
		}
		if have >= n {
			return have, time.Now(), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, time.Time{}, context.Cause(ctx)
		}
	}
}

// export writes the rows of the last run to a file, and makes the table that
// psql copies into: the same columns and indexes as a partition of logs.
func (b *bench) export(ctx context.Context) error {
	var partition string
	err := b.conn.QueryRow(ctx, "SELECT tableoid::regclass::text FROM logs WHERE kafka_topic = $1 LIMIT 1", b.topic).Scan(&partition)
	if err != nil {
		return fmt.Errorf("find partition: %w", err)
	}
	if _, err := b.conn.Exec(ctx, "DROP TABLE IF EXISTS bench_logs; CREATE TABLE bench_logs (LIKE "+partition+" INCLUDING ALL)"); err != nil {
		return fmt.Errorf("create table: %w", err)
	}
	return b.psql(ctx, fmt.Sprintf(`\copy (SELECT * FROM logs WHERE kafka_topic = '%s') TO '%s' (FORMAT binary)`, b.topic, b.file))
}

// copyIn returns the rows per second of COPY through psql.
func (b *bench) copyIn(ctx context.Context) (float64, error) {
	if _, err := b.conn.Exec(ctx, "TRUNCATE bench_logs"); err != nil {
		return 0, fmt.Errorf("truncate: %w", err)
	}
	start := time.Now()
	if err := b.psql(ctx, fmt.Sprintf(`\copy bench_logs FROM '%s' (FORMAT binary)`, b.file)); err != nil {
		return 0, err
	}
	return float64(b.records) / time.Since(start).Seconds(), nil
}

func (b *bench) psql(ctx context.Context, command string) error {
	out, err := exec.CommandContext(ctx, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", b.stand.LogprocOwner, "-c", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}
