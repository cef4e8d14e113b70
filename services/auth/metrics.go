package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

const meterName = "github.com/curfew-platform/curfew/services/auth"

// countRefreshes returns who counts the verdicts on refresh tokens; nil without a provider.
func countRefreshes(provider metric.MeterProvider) (func(context.Context, account.Verdict), error) {
	if provider == nil {
		return nil, nil //nolint:nilnil // nobody counts
	}
	counter, err := provider.Meter(meterName).Int64Counter("auth.refreshes",
		metric.WithUnit("{token}"), metric.WithDescription("Refresh tokens that this service had made, by verdict."))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	// All are there from the beginning: of a counter that appears with its first count no rate can be taken.
	for _, v := range []account.Verdict{account.Rotated, account.Repeated, account.Reused, account.Ahead, account.Refused} {
		counter.Add(context.Background(), 0, verdict(v))
	}
	return func(ctx context.Context, v account.Verdict) { counter.Add(ctx, 1, verdict(v)) }, nil
}

// keysLimit bounds what one collection asks of the database: the last one is part of the stop.
const keysLimit = 500 * time.Millisecond

// measureKeys lets provider collect how old the key is that signs. Without a provider nothing is measured.
func measureKeys(provider metric.MeterProvider, list func(context.Context) ([]signingkey.Key, error), log *slog.Logger) error {
	if provider == nil {
		return nil
	}
	_, err := provider.Meter(meterName).Float64ObservableGauge("auth.signing_key.age", metric.WithUnit("s"),
		metric.WithDescription("For how long the signing key has been signing."),
		metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error {
			ctx, cancel := context.WithTimeout(ctx, keysLimit)
			defer cancel()
			keys, err := list(ctx)
			if err != nil {
				// No age of a key is no reason to send none of the other figures.
				log.DebugContext(ctx, "age of the signing key is missing", "error", err)
				return nil
			}
			for _, k := range keys {
				if k.State == signingkey.Primary {
					o.Observe(time.Since(k.PrimaryAt).Seconds())
				}
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func verdict(v account.Verdict) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("auth.verdict", string(v)))
}
