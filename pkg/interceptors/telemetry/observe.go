package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Tokens is implemented by *token.Verifier.
type Tokens interface {
	Stats() token.Stats
}

// Feed is implemented by *watcher.Watcher.
type Feed interface {
	Status() watcher.Status
}

// Observe reports the state of tokens and feed whenever provider collects,
// until stop is called. Either of the two may be nil.
func Observe(provider metric.MeterProvider, tokens Tokens, feed Feed) (stop func() error, err error) {
	if provider == nil {
		return nil, errors.New("telemetry: no meter provider")
	}
	m := provider.Meter(scope)
	var registered []metric.Registration
	stop = func() error {
		var errs []error
		for _, r := range registered {
			errs = append(errs, r.Unregister())
		}
		return errors.Join(errs...)
	}
	register := func(f metric.Callback, err error, instruments ...metric.Observable) error {
		if err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
		r, err := m.RegisterCallback(f, instruments...)
		if err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
		registered = append(registered, r)
		return nil
	}
	if tokens != nil {
		err = errors.Join(err, observeTokens(m, tokens, register))
	}
	if feed != nil {
		err = errors.Join(err, observeFeed(m, feed, register))
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

type registerFunc func(metric.Callback, error, ...metric.Observable) error

func observeTokens(m metric.Meter, tokens Tokens, register registerFunc) error {
	uses, err1 := m.Int64ObservableCounter("curfew.token.cache", metric.WithUnit("{token}"), metric.WithDescription("Uses of the cache of verified tokens."))
	entries, err2 := m.Int64ObservableGauge("curfew.token.entries", metric.WithUnit("{token}"), metric.WithDescription("Verified tokens that are held."))
	size, err3 := m.Int64ObservableGauge("curfew.token.bytes", metric.WithUnit("By"), metric.WithDescription("What the verified tokens weigh."))
	result := func(name string) metric.ObserveOption {
		return metric.WithAttributes(attribute.String("curfew.result", name))
	}
	return register(func(_ context.Context, o metric.Observer) error {
		s := tokens.Stats()
		o.ObserveInt64(uses, clamp(s.Hits), result("hit"))
		o.ObserveInt64(uses, clamp(s.Misses), result("miss"))
		o.ObserveInt64(uses, clamp(s.Evictions), result("eviction"))
		o.ObserveInt64(entries, int64(s.Entries))
		o.ObserveInt64(size, clamp(s.Bytes))
		return nil
	}, errors.Join(err1, err2, err3), uses, entries, size)
}

func observeFeed(m metric.Meter, feed Feed, register registerFunc) error {
	rules, err1 := m.Int64ObservableGauge("curfew.revocation.rules", metric.WithUnit("{rule}"), metric.WithDescription("Rules that are held."))
	lease, err2 := m.Float64ObservableGauge("curfew.revocation.lease", metric.WithUnit("s"), metric.WithDescription("What is left of the lease; negative when it is over."))
	losses, err3 := m.Int64ObservableCounter("curfew.revocation.lease.losses", metric.WithUnit("{lease}"), metric.WithDescription("Leases that ended before the next one was held."))
	return register(func(_ context.Context, o metric.Observer) error {
		s := feed.Status()
		o.ObserveInt64(rules, int64(s.Rules))
		if !s.Left { // a stop is no loss, and its last figures are looked at for minutes
			o.ObserveFloat64(lease, s.Lease.Seconds())
		}
		o.ObserveInt64(losses, clamp(s.Losses))
		return nil
	}, errors.Join(err1, err2, err3), rules, lease, losses)
}

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) } //nolint:gosec // bounded right here
