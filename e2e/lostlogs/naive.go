package lostlogs

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/e2e/naive/consumer"
	"github.com/curfew-platform/curfew/e2e/stand"
)

// naiveLeg describes one run of the naive consumer.
type naiveLeg struct {
	name    string
	mode    consumer.Mode
	records int
	delay   time.Duration // mean store time of a batch
	grace   time.Duration // zero is SIGKILL at once
}

// run starts the consumer, stops it in full flight, lets a successor read the
// rest, and counts.
func (l naiveLeg) run(ctx context.Context, s *stand.Stand, id string) (Leg, error) {
	conn, err := stand.Connect(ctx, s.LogprocOwner)
	if err != nil {
		return Leg{}, err
	}
	defer conn.Close(ctx)
	table := "naive_" + strings.ReplaceAll(id, "-", "_")
	if err := consumer.Schema(ctx, conn, table); err != nil {
		return Leg{}, err
	}
	src, err := fill(ctx, s, "story-"+id, l.records)
	if err != nil {
		return Leg{}, err
	}
	leg := Leg{Name: l.name}
	count := "SELECT count(*) FROM " + pgx.Identifier{table}.Sanitize()

	first, err := l.start(s, src, table, l.delay)
	if err != nil {
		return Leg{}, err
	}
	defer first.Kill()
	if leg.RowsPerSecond, err = pace(ctx, conn, l.records, count); err != nil {
		return Leg{}, fmt.Errorf("%w\n%s", err, first.Stderr())
	}
	if leg.Drain, leg.Killed, err = first.Stop(l.grace); err != nil {
		return Leg{}, err
	}

	successor, err := l.start(s, src, table, 0)
	if err != nil {
		return Leg{}, err
	}
	defer successor.Kill()
	err = await(ctx, "the successor has committed everything", catchUpLimit, func(ctx context.Context) (bool, error) {
		done, err := committed(ctx, s.Brokers, src.topic, src.topic)
		return done >= int64(l.records), err
	})
	if err != nil {
		return Leg{}, fmt.Errorf("%w\n%s", err, successor.Stderr())
	}
	if _, _, err := successor.Stop(catchUpLimit); err != nil {
		return Leg{}, err
	}
	leg.Count, err = Oracle(ctx, s.Brokers, src.topic, s.LogprocOwner,
		"SELECT kafka_partition, kafka_offset FROM "+pgx.Identifier{table}.Sanitize())
	return leg, err
}

func (l naiveLeg) start(s *stand.Stand, src source, table string, delay time.Duration) (*stand.Process, error) {
	return stand.Start(filepath.Join(s.Bin, "stories"), nil, "naive-consumer",
		"--brokers", strings.Join(s.Brokers, ","), "--topic", src.topic, "--group", src.topic,
		"--database-url", s.LogprocOwner, "--table", table, "--mode", string(l.mode), "--store-delay", delay.String(), "--batch-size", strconv.Itoa(batchSize))
}
