package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Measure lets provider collect how busy pools are, by name, for as long as the process lives, by the conventions of
// OpenTelemetry for database clients where there are some. Without a provider nothing is measured.
func Measure(provider metric.MeterProvider, pools map[string]*pgxpool.Pool) error {
	if provider == nil {
		return nil
	}
	m := provider.Meter("github.com/curfew-platform/curfew/pkg/server/database")
	count, err1 := m.Int64ObservableUpDownCounter("db.client.connection.count", metric.WithUnit("{connection}"), metric.WithDescription("Connections by state."))
	most, err2 := m.Int64ObservableUpDownCounter("db.client.connection.max", metric.WithUnit("{connection}"), metric.WithDescription("Connections that a pool may have."))
	waits, err3 := m.Int64ObservableCounter("curfew.pool.waits", metric.WithUnit("{wait}"), metric.WithDescription("How often no connection was free."))
	waited, err4 := m.Float64ObservableCounter("curfew.pool.wait.time", metric.WithUnit("s"), metric.WithDescription("Time that was spent waiting for a free connection."))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return fmt.Errorf("metrics of pools: %w", err)
	}
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for name, pool := range pools {
			s, which := pool.Stat(), attribute.String("db.client.connection.pool.name", name)
			o.ObserveInt64(count, int64(s.AcquiredConns()), metric.WithAttributes(which, attribute.String("db.client.connection.state", "used")))
			o.ObserveInt64(count, int64(s.IdleConns()), metric.WithAttributes(which, attribute.String("db.client.connection.state", "idle")))
			o.ObserveInt64(most, int64(s.MaxConns()), metric.WithAttributes(which))
			o.ObserveInt64(waits, s.EmptyAcquireCount(), metric.WithAttributes(which))
			o.ObserveFloat64(waited, s.EmptyAcquireWaitTime().Seconds(), metric.WithAttributes(which))
		}
		return nil
	}, count, most, waits, waited)
	if err != nil {
		return fmt.Errorf("metrics of pools: %w", err)
	}
	return nil
}
