package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// buckets suit stops: from an idle process to a grace of minutes.
var buckets = []float64{0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30, 45, 60, 120, 300}

// instruments are what is recorded of a stop. The gauges of a running group observe it by themselves.
type instruments struct {
	stop, phase, part metric.Float64Histogram
	left              metric.Int64Gauge
}

func newInstruments(m metric.Meter, g *lifecycle.Group) (*instruments, error) {
	var in instruments
	for _, h := range []struct {
		into       *metric.Float64Histogram
		name, what string
	}{
		{&in.stop, "lifecycle.stop.duration", "Time from the beginning of the stop until the telemetry was flushed."},
		{&in.phase, "lifecycle.stop.phase.duration", "Time that a phase of the stop took."},
		{&in.part, "lifecycle.stop.part.duration", "Time that a part took to stop."},
	} {
		var err error
		*h.into, err = m.Float64Histogram(h.name, metric.WithUnit("s"), metric.WithDescription(h.what), metric.WithExplicitBucketBoundaries(buckets...))
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", h.name, err)
		}
	}
	var err error
	if in.left, err = m.Int64Gauge("lifecycle.stop.part.left", metric.WithUnit("{item}"), metric.WithDescription("What remained of a part after its stop.")); err != nil {
		return nil, fmt.Errorf("metric lifecycle.stop.part.left: %w", err)
	}
	return &in, observe(m, g)
}

// observe registers the gauges of a running group.
func observe(m metric.Meter, g *lifecycle.Group) error {
	_, err := m.Float64ObservableGauge("lifecycle.stop.window", metric.WithUnit("s"), metric.WithDescription("Time that a stop has for its phases."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(g.Plan().Window().Seconds())
			return nil
		}))
	if err != nil {
		return fmt.Errorf("metric lifecycle.stop.window: %w", err)
	}
	for name, gauge := range map[string]struct {
		what string
		of   func(lifecycle.Prediction) time.Duration
	}{
		"lifecycle.prediction.now": {"How long a stop would take now.", func(p lifecycle.Prediction) time.Duration { return p.Need }},
		"lifecycle.prediction.p50": {"Median of how long a stop would take.", func(p lifecycle.Prediction) time.Duration { return p.P50 }},
		"lifecycle.prediction.p99": {"How long 99 of 100 stops would take at most.", func(p lifecycle.Prediction) time.Duration { return p.P99 }},
	} {
		_, err := m.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(gauge.what),
			metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
				if p := g.Predict(); p.Samples > 0 {
					o.Observe(gauge.of(p).Seconds())
				}
				return nil
			}))
		if err != nil {
			return fmt.Errorf("metric %s: %w", name, err)
		}
	}
	return observeParts(m, g)
}

// observeParts registers the gauges of the parts, which are read together.
func observeParts(m metric.Meter, g *lifecycle.Group) error {
	remaining, err := m.Int64ObservableGauge("lifecycle.part.remaining", metric.WithUnit("{item}"), metric.WithDescription("What a part has to do before it has stopped."))
	if err != nil {
		return fmt.Errorf("metric lifecycle.part.remaining: %w", err)
	}
	rate, err := m.Float64ObservableGauge("lifecycle.part.rate", metric.WithUnit("{item}/s"), metric.WithDescription("How much a part completes in a second while it has work."))
	if err != nil {
		return fmt.Errorf("metric lifecycle.part.rate: %w", err)
	}
	need, err := m.Float64ObservableGauge("lifecycle.part.need", metric.WithUnit("s"), metric.WithDescription("How long a part would take to stop now."))
	if err != nil {
		return fmt.Errorf("metric lifecycle.part.need: %w", err)
	}
	_, err = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, ph := range g.Predict().Phases {
			for _, p := range ph.Parts {
				which := metric.WithAttributes(keyPart.String(p.Name), keyPhase.String(ph.Phase.String()))
				if p.Remaining >= 0 {
					o.ObserveInt64(remaining, p.Remaining, which)
				}
				if p.Source == lifecycle.SourceRate {
					o.ObserveFloat64(rate, p.Rate, which)
				}
				if p.Source != lifecycle.SourceUnknown {
					o.ObserveFloat64(need, p.Need.Seconds(), which)
				}
			}
		}
		return nil
	}, remaining, rate, need)
	if err != nil {
		return fmt.Errorf("callback of parts: %w", err)
	}
	return nil
}

// record records a stop.
func (in *instruments) record(ctx context.Context, r lifecycle.Report) {
	if len(r.Phases) == 0 {
		return
	}
	in.stop.Record(ctx, seconds(r.Used), metric.WithAttributes(keyOutcome.String(string(soFar(r)))))
	for _, ph := range r.Phases {
		phase := keyPhase.String(ph.Phase.String())
		in.phase.Record(ctx, seconds(ph.Used), metric.WithAttributes(phase, keyOutcome.String(string(ph.Outcome))))
		for _, p := range ph.Parts {
			part := keyPart.String(p.Name)
			in.part.Record(ctx, seconds(p.Used), metric.WithAttributes(part, phase, keyOutcome.String(string(p.Outcome))))
			if p.RemainingAfter != nil {
				in.left.Record(ctx, *p.RemainingAfter, metric.WithAttributes(part, phase))
			}
		}
	}
}
