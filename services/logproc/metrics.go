package logproc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/services/logproc/internal/lag"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/parent"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
)

const (
	meterName = "github.com/curfew-platform/curfew/services/logproc"
	// figuresLimit bounds what one collection asks of PostgreSQL and Kafka: the last one is part of the stop.
	figuresLimit = 500 * time.Millisecond
	// figuresPartitions bounds the number of series.
	figuresPartitions = 1000
)

// measure lets provider collect what the parent knows of its workers, and how far behind the partitions are. Workers send
// nothing: what they have done comes to the parent with every grant.
func (p *pipeline) measure(provider metric.MeterProvider, reader *postgres.Reader) error {
	if provider == nil {
		return nil
	}
	m := provider.Meter(meterName)
	if err := p.measureWork(m); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	f := &figures{ledger: reader, lag: p.lag, log: p.rt.LocalLog}
	if err := f.register(m); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// measureWork registers what is counted in memory.
func (p *pipeline) measureWork(m metric.Meter) error {
	records, err1 := m.Int64ObservableCounter("logproc.records", metric.WithUnit("{record}"), metric.WithDescription("Records by what became of them."))
	steals, err2 := m.Int64ObservableCounter("logproc.fenced", metric.WithUnit("{grant}"), metric.WithDescription("Grants that ended because somebody else had taken the partition."))
	owned, err3 := m.Int64ObservableGauge("logproc.partition.owned", metric.WithUnit("{partition}"), metric.WithDescription("Partitions that workers of this replica read."))
	isolated, err4 := m.Int64ObservableGauge("logproc.partition.isolated", metric.WithUnit("{partition}"), metric.WithDescription("Partitions in a process of their own."))
	workers, err5 := m.Int64ObservableGauge("logproc.workers", metric.WithUnit("{process}"), metric.WithDescription("Worker processes that are ready."))
	exited, err6 := countExits(m)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return err
	}
	p.exited = exited
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := p.parent.Status()
		for _, outcome := range outcomes(s) {
			o.ObserveInt64(records, outcome.records, metric.WithAttributes(attribute.String("logproc.outcome", outcome.name)))
		}
		o.ObserveInt64(steals, s.Steals)
		o.ObserveInt64(owned, int64(len(s.Owners)))
		o.ObserveInt64(isolated, int64(len(s.Isolated)))
		ready := int64(0)
		for _, c := range p.workers.Children() {
			if c.State == supervisor.StateReady {
				ready++
			}
		}
		o.ObserveInt64(workers, ready)
		return nil
	}, records, steals, owned, isolated, workers)
	return err
}

// countExits counts ends of worker processes. All reasons are there from the
// beginning: of a counter that appears with its first count no rate can be taken.
func countExits(m metric.Meter) (func(supervisor.Exit), error) {
	exits, err := m.Int64Counter("logproc.worker.exits", metric.WithUnit("{process}"), metric.WithDescription("Ends of worker processes by reason."))
	if err != nil {
		return nil, err
	}
	add := func(n int64, r supervisor.Reason) {
		exits.Add(context.Background(), n, metric.WithAttributes(attribute.String("logproc.reason", string(r))))
	}
	for _, r := range supervisor.Reasons() {
		add(0, r)
	}
	return func(e supervisor.Exit) { add(1, e.Reason) }, nil
}

type outcome struct {
	name    string
	records int64
}

func outcomes(s parent.Status) []outcome {
	t := s.Tally
	return []outcome{
		{"stored", t.Stored},
		{"dead", t.Dead},
		{"sampled", t.Sampled},
		{"handed_back", t.HandedBack},
		{"unresolved", t.Unresolved},
	}
}

// figures asks the ledger and Kafka how far behind the partitions are. Every replica does, also for partitions that nobody
// owns, so take the maximum over replicas.
type figures struct {
	ledger interface {
		Partitions(ctx context.Context, after ledger.Key, limit int) ([]postgres.Entry, error)
	}
	lag     func(ctx context.Context, next map[ledger.Key]int64) map[ledger.Key]int64
	history lag.History
	log     *slog.Logger
}

func (f *figures) register(m metric.Meter) error {
	records, err1 := m.Int64ObservableGauge("logproc.partition.lag", metric.WithUnit("{record}"), metric.WithDescription("Records that Kafka has and that are not stored."))
	behind, err2 := m.Float64ObservableGauge("logproc.partition.behind", metric.WithUnit("s"), metric.WithDescription("For how long there has been a record that is not stored."))
	still, err3 := m.Float64ObservableGauge("logproc.partition.still", metric.WithUnit("s"), metric.WithDescription("For how long nothing was stored although there was something."))
	tries, err4 := m.Int64ObservableGauge("logproc.partition.tries", metric.WithUnit("{take}"), metric.WithDescription("How often the partition was taken since it last moved."))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	_, err := m.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, figuresLimit)
		defer cancel()
		entries, err := f.ledger.Partitions(ctx, ledger.Key{Partition: -1}, figuresPartitions)
		if err != nil {
			// No figures are no reason to send none of the others.
			f.log.DebugContext(ctx, "figures of partitions are missing", "error", err)
			return nil
		}
		next := make(map[ledger.Key]int64, len(entries))
		for i := range entries {
			next[entries[i].Key()] = entries[i].NextOff
		}
		ahead, now := f.lag(ctx, next), time.Now()
		for i := range entries {
			e := &entries[i]
			which := metric.WithAttributes(
				attribute.String("messaging.destination.name", e.Topic),
				attribute.String("messaging.destination.partition.id", strconv.Itoa(int(e.Partition))))
			o.ObserveInt64(tries, int64(e.Tries), which)
			n, known := ahead[e.Key()]
			if !known {
				continue
			}
			s := f.history.Sample(e.Key(), now, e.NextOff, n)
			o.ObserveInt64(records, s.Records, which)
			o.ObserveFloat64(behind, s.Behind.Seconds(), which)
			o.ObserveFloat64(still, s.Still.Seconds(), which)
		}
		return nil
	}, records, behind, still, tries)
	return err
}
