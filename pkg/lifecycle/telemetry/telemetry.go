package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	// scope names who made spans and metrics.
	scope = "github.com/curfew-platform/curfew/pkg/lifecycle/telemetry"
	// flushTime is what the providers together may take for their last export and their shutdown: a collector that does
	// not answer costs a stop no more than that.
	flushTime    = time.Second
	pollInterval = 2 * time.Millisecond
)

// Provider is what the providers of the OpenTelemetry SDK have in common. Shutdown exports what is left.
type Provider interface {
	Shutdown(ctx context.Context) error
}

// TracerProvider is implemented by *sdktrace.TracerProvider.
type TracerProvider interface {
	trace.TracerProvider
	Provider
}

// MeterProvider is implemented by *sdkmetric.MeterProvider.
type MeterProvider interface {
	metric.MeterProvider
	Provider
}

// Option configures [Add].
type Option interface{ apply(*part) }

type optionFunc func(*part)

func (f optionFunc) apply(p *part) { f(p) }

// WithTraces lets the stop become a trace of tp, which is shut down afterwards.
func WithTraces(tp TracerProvider) Option {
	return optionFunc(func(p *part) {
		if tp != nil {
			p.tracer = tp.Tracer(scope)
			p.add("traces", tp)
		}
	})
}

// WithMetrics makes the metrics of the group in mp, which is shut down at the end of the stop.
func WithMetrics(mp MeterProvider) Option {
	return optionFunc(func(p *part) {
		if mp != nil {
			p.meter = mp.Meter(scope)
			p.add("metrics", mp)
		}
	})
}

// WithLogs lets lp, as a rule an *sdklog.LoggerProvider, be shut down at the end of the stop. The group itself logs to the
// slog.Logger that it was made with.
func WithLogs(lp Provider) Option {
	return optionFunc(func(p *part) {
		if lp != nil {
			p.add("logs", lp)
		}
	})
}

// Add adds the providers to g as one part of phase lifecycle.Close, which goes last: it waits until the other parts of
// the phase have stopped, or until half of its time is over, but for 1 s at least if the phase has 2 s; then it makes spans
// and metrics of the stop and shuts the providers down, at the same time, in 1 s at most. What could not be exported is an
// error of the part.
//
// The group owns the providers from here on, even if it never starts.
func Add(g *lifecycle.Group, name string, opts ...Option) error {
	if g == nil {
		return errors.New("telemetry: the group is required")
	}
	p := &part{g: g, name: name}
	for _, o := range opts {
		if o != nil {
			o.apply(p)
		}
	}
	if len(p.providers) == 0 {
		return errors.New("telemetry: at least one provider is required")
	}
	if p.meter != nil {
		var err error
		if p.instruments, err = newInstruments(p.meter, g); err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
	}
	if err := g.Add(lifecycle.Part{Name: name, Phase: lifecycle.Close, Stop: p.stop}); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil
}

// part is the providers in a group.
type part struct {
	g           *lifecycle.Group
	name        string
	tracer      trace.Tracer // nil for no traces
	meter       metric.Meter // nil for no metrics
	instruments *instruments
	providers   []named
}

// named is a provider with a name for its error.
type named struct {
	what string
	Provider
}

func (p *part) add(what string, provider Provider) {
	p.providers = append(p.providers, named{what, provider})
}

func (p *part) stop(ctx context.Context) error {
	p.awaitOthers(ctx)
	r := p.g.SoFar()
	if p.tracer != nil {
		record(ctx, p.tracer, r, time.Now())
	}
	if p.instruments != nil {
		p.instruments.record(ctx, r)
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	return p.shutdown(ctx)
}

// awaitOthers waits for the other parts of the phase, as long as enough time for the flush is left.
func (p *part) awaitOthers(ctx context.Context) {
	if until, ok := ctx.Deadline(); ok {
		left := time.Until(until)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left-min(flushTime, left/2))
		defer cancel()
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for p.others() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// others reports whether other parts of the last phase are still stopping.
func (p *part) others() bool {
	r := p.g.SoFar()
	if len(r.Phases) == 0 {
		return false // it is removed from a running group
	}
	for _, other := range r.Phases[len(r.Phases)-1].Parts {
		if other.Outcome == lifecycle.Underway && other.Name != p.name {
			return true
		}
	}
	return false
}

// shutdown shuts all providers down. One that does not return in time is left behind.
func (p *part) shutdown(ctx context.Context) error {
	results := make([]chan error, len(p.providers))
	for i, provider := range p.providers {
		results[i] = make(chan error, 1)
		go func() { results[i] <- provider.Shutdown(ctx) }()
	}
	var errs []error
	for i, provider := range p.providers {
		select {
		case err := <-results[i]:
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", provider.what, err))
			}
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("%s: not exported in time: %w", provider.what, context.Cause(ctx)))
		}
	}
	return errors.Join(errs...)
}
