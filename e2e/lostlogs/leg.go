package lostlogs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// Leg is one way to run and stop a log processor, measured.
type Leg struct {
	Name          string
	RowsPerSecond float64       // while it read at full speed
	Drain         time.Duration // SIGTERM to the end of the process
	Killed        bool          // SIGKILL was needed
	Count         Count         // at the end, after a successor read the rest
}

const (
	partitions = 8
	// stopAt is the share of the records that is stored when the stop begins.
	stopAt = 0.25
	// catchUpLimit bounds the wait for a successor.
	catchUpLimit = 90 * time.Second
	pollEvery    = 20 * time.Millisecond
)

// source is a filled topic.
type source struct {
	topic   string
	records int
}

func fill(ctx context.Context, s *stand.Stand, topic string, records int) (source, error) {
	if err := CreateTopic(ctx, s.Brokers, topic, partitions); err != nil {
		return source{}, err
	}
	if err := Fill(ctx, s.Brokers, topic, partitions, records); err != nil {
		return source{}, err
	}
	return source{topic: topic, records: records}, nil
}

// await polls until the condition is true.
func await(ctx context.Context, what string, limit time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: not after %v", what, limit))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// rowsReach waits until a query counts at least n.
func rowsReach(ctx context.Context, conn *pgx.Conn, limit time.Duration, n int64, count string, args ...any) error {
	return await(ctx, fmt.Sprintf("%d rows stored", n), limit, func(ctx context.Context) (bool, error) {
		var have int64
		if err := conn.QueryRow(ctx, count, args...).Scan(&have); err != nil {
			return false, fmt.Errorf("count rows: %w", err)
		}
		return have >= n, nil
	})
}

// pace waits for the first row and then for the share of rows at which the
// stop begins, and returns the rows per second in between.
func pace(ctx context.Context, conn *pgx.Conn, records int, count string, args ...any) (float64, error) {
	if err := rowsReach(ctx, conn, catchUpLimit, 1, count, args...); err != nil {
		return 0, err
	}
	start := time.Now()
	var first int64
	if err := conn.QueryRow(ctx, count, args...).Scan(&first); err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	if err := rowsReach(ctx, conn, catchUpLimit, max(int64(float64(records)*stopAt), first+1), count, args...); err != nil {
		return 0, err
	}
	var last int64
	if err := conn.QueryRow(ctx, count, args...).Scan(&last); err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return float64(last-first) / time.Since(start).Seconds(), nil
}
