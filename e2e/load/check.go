package load

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// invariantsSQL is what must hold of the orders database at every moment: the
// same text as in services/orders/internal/ordertest, which a test compares.
//
//go:embed invariants.sql
var invariantsSQL string

// Databases are where the truth is, as roles that may read all of it.
type Databases struct {
	Orders, Logproc string // URLs
	Brokers         []string
	Topic, Group    string
	// Patience is how long the log processor may take to catch up with the end of the topic.
	Patience time.Duration
}

// Findings compare the databases with a Verdict. It is printed as JSON.
type Findings struct {
	// Records of the topic since the run began, in all partitions and from everybody.
	InKafka    int64 `json:"in_kafka"`
	Stored     int64 `json:"stored"` // different ones, in logs or dead_letters
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	Dead       int64 `json:"dead_lettered"` // of the stored ones
	// Numbered are the records of the run by their numbers.
	Numbered           int64   `json:"numbered"`
	NumberedDuplicated int64   `json:"numbered_duplicated"`
	CaughtUpSeconds    float64 `json:"caught_up_seconds"`

	Orders int64    `json:"orders"`           // of the customers of the run
	Broken []string `json:"broken,omitempty"` // invariants of the orders database
	// Wrong is everything that must not be, in words; empty if all is well.
	Wrong []string `json:"wrong,omitempty"`
}

// Check compares the databases with what a load saw. The error says why it
// could not.
func Check(ctx context.Context, d Databases, v Verdict) (Findings, error) {
	var f Findings
	if err := d.records(ctx, v, &f); err != nil {
		return f, err
	}
	if err := d.orders(ctx, v, &f); err != nil {
		return f, err
	}
	wrong := func(is bool, format string, args ...any) {
		if is {
			f.Wrong = append(f.Wrong, fmt.Sprintf(format, args...))
		}
	}
	wrong(v.Leaks > 0, "%d of %d calls with a token that had ended were admitted: %q", v.Leaks, v.Checks, v.LeakSamples)
	wrong(v.ProduceFailed > 0, "%d log records were not taken by the broker", v.ProduceFailed)
	wrong(f.Lost != 0 || f.Duplicated != 0, "of %d records in Kafka %d are lost and %d duplicated", f.InKafka, f.Lost, f.Duplicated)
	wrong(f.Numbered != v.Produced || f.NumberedDuplicated != 0, "of %d numbered records %d are stored, %d of them more than once", v.Produced, f.Numbered, f.NumberedDuplicated)
	wrong(f.Orders < v.Orders || f.Orders > v.Orders+v.Unsettled, "%d orders were answered and %d are unsettled, but %d are stored", v.Orders, v.Unsettled, f.Orders)
	wrong(len(f.Broken) > 0, "the orders database breaks: %q", f.Broken)
	return f, nil
}

// records counts what became of the records since the run began.
func (d Databases) records(ctx context.Context, v Verdict, f *Findings) error {
	if v.From == nil {
		return nil
	}
	ends, err := Ends(ctx, d.Brokers, d.Topic)
	if err != nil {
		return err
	}
	conn, err := stand.Connect(ctx, d.Logproc)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	start := time.Now()
	if err := d.caughtUp(ctx, conn, ends); err != nil {
		return err
	}
	f.CaughtUpSeconds = time.Since(start).Seconds()
	var partitions []int32
	var from, to []int64
	for p, end := range ends {
		partitions, from, to = append(partitions, p), append(from, v.From[p]), append(to, end)
		f.InKafka += end - v.From[p]
	}
	id, err := topicID(ctx, d.Brokers, d.Topic)
	if err != nil {
		return err
	}
	// A topic without transactions and compaction has no holes: each offset is a record.
	var rows int64
	err = conn.QueryRow(ctx, `WITH bounds AS (SELECT * FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS b(p, low, high)),
		kept AS (SELECT kafka_partition, kafka_offset, false AS dead FROM logs WHERE kafka_topic = $1 AND topic_id = $5
		         UNION ALL SELECT kafka_partition, kafka_offset, true FROM dead_letters WHERE kafka_topic = $1 AND topic_id = $5)
		SELECT coalesce(sum(n), 0)::bigint, coalesce(sum(different), 0)::bigint, coalesce(sum(dead), 0)::bigint FROM (
			SELECT count(*) AS n, count(DISTINCT kafka_offset) AS different, count(*) FILTER (WHERE dead) AS dead
			FROM kept JOIN bounds ON p = kafka_partition AND kafka_offset >= low AND kafka_offset < high GROUP BY p) s`,
		d.Topic, partitions, from, to, id).Scan(&rows, &f.Stored, &f.Dead)
	if err != nil {
		return fmt.Errorf("count the records: %w", err)
	}
	f.Lost, f.Duplicated = f.InKafka-f.Stored, rows-f.Stored
	err = conn.QueryRow(ctx, `SELECT count(DISTINCT span_id), count(*) - count(DISTINCT span_id) FROM logs WHERE trace_id = decode($1, 'hex')`, v.Run).
		Scan(&f.Numbered, &f.NumberedDuplicated)
	if err != nil {
		return fmt.Errorf("count the numbered records: %w", err)
	}
	return nil
}

// caughtUp waits until the ledger is at the ends.
func (d Databases) caughtUp(ctx context.Context, conn *pgx.Conn, ends map[int32]int64) error {
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	for {
		at, err := positions(ctx, conn, d.Group, d.Topic)
		if err != nil {
			return err
		}
		behind := int64(0)
		for p, end := range ends {
			behind += max(0, end-at[p])
		}
		if behind == 0 {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("the log processor is %d records behind after %v: ledger %v, ends %v", behind, d.Patience, at, ends)
		}
	}
}

// positions are the rows of the ledger.
func positions(ctx context.Context, conn *pgx.Conn, group, topic string) (map[int32]int64, error) {
	rows, err := conn.Query(ctx, "SELECT partition, next_off FROM ledger WHERE group_id = $1 AND topic = $2", group, topic)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	at := map[int32]int64{}
	var p int32
	var next int64
	if _, err := pgx.ForEachRow(rows, []any{&p, &next}, func() error { at[p] = next; return nil }); err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return at, nil
}

// orders counts the orders of the customers and looks for broken invariants.
func (d Databases) orders(ctx context.Context, v Verdict, f *Findings) error {
	conn, err := stand.Connect(ctx, d.Orders)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var users []string
	for _, name := range v.Customers {
		users = append(users, strings.TrimPrefix(name, "users/"))
	}
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM orders WHERE user_id = ANY ($1::uuid[])", users).Scan(&f.Orders); err != nil {
		return fmt.Errorf("count the orders: %w", err)
	}
	for _, block := range strings.Split(invariantsSQL, "-- name: ")[1:] {
		name, statement, _ := strings.Cut(block, "\n")
		rows, err := conn.Query(ctx, "SELECT * FROM ("+strings.TrimSuffix(strings.TrimSpace(statement), ";")+") broken LIMIT 3")
		if err != nil {
			return fmt.Errorf("invariant %q: %w", name, err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToMap)
		if err != nil {
			return fmt.Errorf("invariant %q: %w", name, err)
		}
		if len(found) > 0 {
			f.Broken = append(f.Broken, fmt.Sprintf("%s: %v", name, found))
		}
	}
	slices.Sort(f.Broken)
	return nil
}
