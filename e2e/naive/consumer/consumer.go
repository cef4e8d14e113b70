// Package consumer is the log processor of the incident: a parent with child
// processes that commit offsets automatically, queue what they read in memory,
// write to two sinks, and drain as long as they are let.
//
// Every piece is what many real consumers do. It is here to be measured by the
// same oracle as services/logproc.
package consumer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Mode is when a worker tells Kafka that it has a record.
type Mode string

const (
	// PerRecord stores and commits one record after the other.
	PerRecord Mode = "record"
	// Batch queues what it polls and lets the client commit by itself.
	Batch Mode = "batch"
)

// Config of a naive consumer. All fields are required but StoreDelay.
type Config struct {
	Brokers     []string      `required:"" help:"Kafka brokers."`
	Topic       string        `required:"" help:"Topic to read."`
	Group       string        `required:"" help:"Consumer group."`
	DatabaseURL string        `required:"" name:"database-url" help:"Database of the tables."`
	Table       string        `required:"" help:"Table of the rows; the second sink is TABLE_index."`
	Mode        Mode          `required:"" enum:"record,batch" help:"When offsets are committed."`
	Workers     int           `default:"4" help:"Child processes."`
	BatchSize   int           `default:"250" help:"Rows that are stored together."`
	QueueSize   int           `default:"3000" help:"Records that wait in memory of one worker."`
	StoreDelay  time.Duration `help:"Mean time that a batch takes to store, beside its real cost."`
	Seed        uint64        `default:"1" help:"Seed of the store delays."`
}

// Schema creates the two sinks of a table name.
func Schema(ctx context.Context, conn *pgx.Conn, table string) error {
	for _, name := range []string{table, table + "_index"} {
		id := pgx.Identifier{name}.Sanitize()
		_, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+id+"; CREATE TABLE "+id+
			" (kafka_partition int NOT NULL, kafka_offset bigint NOT NULL, body text NOT NULL)")
		if err != nil {
			return fmt.Errorf("create table %s: %w", name, err)
		}
	}
	return nil
}

// Parent starts the workers, as re-execs of this program with the given
// arguments, passes SIGTERM on and waits for them.
func Parent(ctx context.Context, workers int, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	children := make([]*exec.Cmd, workers)
	for i := range children {
		c := exec.Command(self, args...) //nolint:noctx // It is sent SIGTERM, as the old parent did.
		c.Stderr = os.Stderr
		c.Env = append(os.Environ(), "NAIVE_WORKER="+strconv.Itoa(i))
		// The group dies with a SIGKILL of the parent, as a container does.
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			return fmt.Errorf("start worker: %w", err)
		}
		children[i] = c
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		select {
		case <-stop:
		case <-ctx.Done():
		}
		for _, c := range children {
			_ = c.Process.Signal(syscall.SIGTERM)
		}
	}()
	var first error
	for _, c := range children {
		if err := c.Wait(); err != nil && first == nil {
			first = fmt.Errorf("worker: %w", err)
		}
	}
	return first
}

// Worker reads until SIGTERM.
func Worker(cfg Config) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	if cfg.Mode == PerRecord {
		return perRecord(ctx, cfg)
	}
	return batches(ctx, cfg)
}

func perRecord(ctx context.Context, cfg Config) error {
	client, err := newClient(cfg, kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer client.Close()
	sink, err := newSink(cfg)
	if err != nil {
		return err
	}
	defer sink.close()
	for ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			if err := sink.store([]*kgo.Record{r}); err != nil {
				return err
			}
			if err := client.CommitRecords(context.Background(), r); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	return nil
}

func batches(ctx context.Context, cfg Config) error {
	client, err := newClient(cfg, kgo.AutoCommitInterval(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	sink, err := newSink(cfg)
	if err != nil {
		return err
	}
	defer sink.close()
	queue := make(chan *kgo.Record, cfg.QueueSize)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		for ctx.Err() == nil {
			// The next poll lets the client commit what the last one returned,
			// stored or not.
			for _, r := range client.PollRecords(ctx, cfg.BatchSize).Records() {
				queue <- r
			}
		}
	})
	defer reader.Wait()
	batch := make([]*kgo.Record, 0, cfg.BatchSize)
	for r := range queue {
		batch = append(batch, r)
		if len(batch) < cfg.BatchSize && len(queue) > 0 {
			continue
		}
		if err := sink.store(batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return nil
}

func newClient(cfg Config, opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append(opts,
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6*time.Second),
		// A member that was killed while the group was forming would hold it up for a minute.
		kgo.RebalanceTimeout(6*time.Second))...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return client, nil
}

// sink writes to two places, one after the other.
type sink struct {
	conn  *pgx.Conn
	table string
	delay time.Duration
	rand  *rand.Rand
}

func newSink(cfg Config) (*sink, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, cfg.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	worker, _ := strconv.ParseUint(os.Getenv("NAIVE_WORKER"), 10, 64)
	return &sink{conn: conn, table: cfg.Table, delay: cfg.StoreDelay, rand: rand.New(rand.NewPCG(cfg.Seed, worker))}, nil //nolint:gosec // Delays that can be repeated.
}

func (s *sink) close() { _ = s.conn.Close(context.Background()) }

func (s *sink) store(records []*kgo.Record) error {
	ctx := context.Background() // a SIGTERM does not interrupt the handler
	if s.delay > 0 {
		// Exponential around the mean: "it takes 3 s on average".
		seconds := s.rand.ExpFloat64() * s.delay.Seconds()
		if _, err := s.conn.Exec(ctx, "SELECT pg_sleep($1)", seconds); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	for _, table := range []string{s.table, s.table + "_index"} {
		rows := make([][]any, len(records))
		for i, r := range records {
			rows[i] = []any{r.Partition, r.Offset, string(r.Value)}
		}
		columns := []string{"kafka_partition", "kafka_offset", "body"}
		if _, err := s.conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}
