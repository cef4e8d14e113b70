package telemetry

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/pkg/interceptors"
)

const scope = "github.com/curfew-platform/curfew/pkg/interceptors"

// buckets suit calls: from one that finds everything in memory to the longest
// deadline.
var buckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120}

// Meter records every call of a chain. Safe for concurrent use.
type Meter struct {
	duration metric.Float64Histogram
	running  metric.Int64UpDownCounter
}

var _ interceptors.Meter = (*Meter)(nil)

// New returns a meter that records with provider.
func New(provider metric.MeterProvider) (*Meter, error) {
	if provider == nil {
		return nil, errors.New("telemetry: no meter provider")
	}
	m := provider.Meter(scope)
	duration, err := m.Float64Histogram("curfew.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a call took in this process, as the client sees its end."), metric.WithExplicitBucketBoundaries(buckets...))
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	running, err := m.Int64UpDownCounter("curfew.call.running", metric.WithUnit("{call}"), metric.WithDescription("Calls and streams that run."))
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return &Meter{duration: duration, running: running}, nil
}

// Began implements interceptors.Meter.
func (m *Meter) Began(ctx context.Context, method string) {
	m.running.Add(ctx, 1, metric.WithAttributes(attribute.String("rpc.method", method)))
}

// Ended implements interceptors.Meter.
func (m *Meter) Ended(ctx context.Context, f interceptors.Figures) {
	m.running.Add(ctx, -1, metric.WithAttributes(attribute.String("rpc.method", f.Method)))
	attributes := make([]attribute.KeyValue, 0, 3)
	attributes = append(attributes, attribute.String("rpc.method", f.Method), attribute.Int("rpc.grpc.status_code", int(f.Code)))
	if f.Reason != "" {
		attributes = append(attributes, attribute.String("curfew.reason", f.Reason))
	}
	m.duration.Record(ctx, f.Duration.Seconds(), metric.WithAttributes(attributes...))
}
