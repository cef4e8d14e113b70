package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors"
)

const scope = "github.com/curfew-platform/curfew/pkg/interceptors"

// buckets suit calls: from one that finds everything in memory to the longest
// deadline.
var buckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120}

// Meter is an interceptors.Meter that records with OpenTelemetry. Safe for
// concurrent use.
type Meter struct {
	duration metric.Float64Histogram
	running  *series[string, *running]
	ended    *series[outcome, []metric.RecordOption]
}

// running is how many calls of a method run. It is read when it is collected.
type running struct {
	n          atomic.Int64
	attributes metric.MeasurementOption
}

// outcome is what tells the durations of calls apart.
type outcome struct {
	method string
	code   codes.Code
	reason string
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
	meter := &Meter{
		duration: duration,
		running: newSeries(func(method string) *running {
			return &running{attributes: metric.WithAttributeSet(attribute.NewSet(attribute.String("rpc.method", method)))}
		}),
		ended: newSeries(func(o outcome) []metric.RecordOption {
			list := []attribute.KeyValue{attribute.String("rpc.method", o.method), attribute.Int("rpc.grpc.status_code", int(o.code))}
			if o.reason != "" {
				list = append(list, attribute.String("curfew.reason", o.reason))
			}
			return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(list...))}
		}),
	}
	_, err = m.Int64ObservableUpDownCounter("curfew.call.running", metric.WithUnit("{call}"), metric.WithDescription("Calls and streams that run."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for _, r := range *meter.running.known.Load() {
				o.Observe(r.n.Load(), r.attributes)
			}
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return meter, nil
}

// Began implements interceptors.Meter.
func (m *Meter) Began(_ context.Context, method string) { m.running.get(method).n.Add(1) }

// Ended implements interceptors.Meter.
func (m *Meter) Ended(ctx context.Context, f interceptors.CallStats) {
	m.running.get(f.Method).n.Add(-1)
	m.duration.Record(ctx, f.Duration.Seconds(), m.ended.get(outcome{f.Method, f.Code, f.Reason})...)
}
