package orders

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// figuresLimit bounds what one collection asks of the database: the last one is part of the stop.
const figuresLimit = 500 * time.Millisecond

// figures is implemented by *postgres.Store.
type figures interface {
	Figures(ctx context.Context) (postgres.Figures, error)
}

// measure lets provider collect how much work waits in the database. Every replica says the same, so take the maximum over
// replicas. Without a provider nothing is measured.
func measure(provider metric.MeterProvider, store figures, log *slog.Logger) error {
	if provider == nil {
		return nil
	}
	m := provider.Meter("github.com/curfew-platform/curfew/services/orders")
	size, err1 := m.Int64ObservableGauge("orders.outbox.size", metric.WithUnit("{event}"), metric.WithDescription("Events that Kafka has not acknowledged; counted up to 100,000."))
	age, err2 := m.Float64ObservableGauge("orders.outbox.age", metric.WithUnit("s"), metric.WithDescription("Age of the oldest event that Kafka has not acknowledged."))
	open, err3 := m.Int64ObservableGauge("orders.payment.open", metric.WithUnit("{attempt}"), metric.WithDescription("Payment attempts without an outcome, by state."))
	oldest, err4 := m.Float64ObservableGauge("orders.payment.age", metric.WithUnit("s"), metric.WithDescription("Age of the oldest payment attempt without an outcome."))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	state := func(name string) metric.ObserveOption {
		return metric.WithAttributes(attribute.String("orders.state", name))
	}
	_, err := m.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, figuresLimit)
		defer cancel()
		f, err := store.Figures(ctx)
		if err != nil {
			// No figures of the database are no reason to send none of the others.
			log.DebugContext(ctx, "figures of the database are missing", "error", err)
			return nil
		}
		o.ObserveInt64(size, f.Outbox)
		o.ObserveFloat64(age, f.OutboxAge.Seconds())
		o.ObserveInt64(open, f.InFlight, state("in_flight"))
		o.ObserveInt64(open, f.Indeterminate, state("indeterminate"))
		o.ObserveFloat64(oldest, f.PaymentAge.Seconds())
		return nil
	}, size, age, open, oldest)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
