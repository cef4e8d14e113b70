package telemetry

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// Engine is implemented by *feed.Engine.
type Engine interface {
	Status() feed.Status
}

// waits suit revoking calls: from one without watchers to two row leases.
var waits = []float64{0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 6, 7, 12}

// Receipts returns a function for feed.Config.Awaited. It records how long
// revoking calls waited, and how the wait ended (attribute curfew.result):
// every watcher had acknowledged (acked), a lease ran out instead (expired), or
// the deadline of the call ended first (pending).
func Receipts(provider metric.MeterProvider) (func(r feed.Receipt, complete bool), error) {
	if provider == nil {
		return nil, errors.New("telemetry: no meter provider")
	}
	barrier, err := provider.Meter(scope).Float64Histogram("curfew.feed.barrier.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a revoking call waited for the watchers."), metric.WithExplicitBucketBoundaries(waits...))
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	result := func(name string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("curfew.result", name)))
	}
	acked, expired, pending := result("acked"), result("expired"), result("pending")
	return func(r feed.Receipt, complete bool) {
		which := acked
		switch {
		case !complete:
			which = pending
		case r.Expired > 0:
			which = expired
		}
		barrier.Record(context.Background(), r.Waited.Seconds(), which)
	}, nil
}

// ObserveEngine reports the state of engine whenever provider collects, until
// stop is called.
func ObserveEngine(provider metric.MeterProvider, engine Engine) (stop func() error, err error) {
	if provider == nil || engine == nil {
		return nil, errors.New("telemetry: provider and engine are required")
	}
	m := provider.Meter(scope)
	watchers, err1 := m.Int64ObservableGauge("curfew.feed.watchers", metric.WithUnit("{process}"), metric.WithDescription("Processes that hold a lease of this replica."))
	lapsed, err2 := m.Int64ObservableCounter("curfew.feed.lapsed", metric.WithUnit("{lease}"), metric.WithDescription("Leases that ended while a rule was not acknowledged."))
	lease, err3 := m.Float64ObservableGauge("curfew.feed.row.lease", metric.WithUnit("s"), metric.WithDescription("What is left of the right to grant leases; negative when it is over."))
	losses, err4 := m.Int64ObservableCounter("curfew.feed.row.losses", metric.WithUnit("{lease}"), metric.WithDescription("How often the right to grant leases was over before it was renewed."))
	behind, err5 := m.Int64ObservableGauge("curfew.feed.behind", metric.WithUnit("{position}"), metric.WithDescription("Positions that not every watcher has acknowledged."))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	r, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := engine.Status()
		o.ObserveInt64(watchers, int64(s.Watchers))
		o.ObserveInt64(lapsed, s.Lapsed)
		o.ObserveFloat64(lease, s.RowLease.Seconds())
		o.ObserveInt64(losses, clamp(s.RowLosses))
		o.ObserveInt64(behind, max(0, s.Head-s.Watermark))
		return nil
	}, watchers, lapsed, lease, losses, behind)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return r.Unregister, nil
}
