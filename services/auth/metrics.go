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

// counters count what use cases tell; without a provider nobody does.
type counters struct {
	refreshes func(context.Context, account.Verdict)
	exchanges func(ctx context.Context, issuer string, v account.Exchanged)
}

// newCounters returns the counters, for these external issuers. All series are
// there from the beginning: of a counter that appears with its first count no
// rate can be taken.
func newCounters(provider metric.MeterProvider, issuers []string) (counters, error) {
	if provider == nil {
		return counters{}, nil
	}
	meter := provider.Meter(meterName)
	refreshes, err := meter.Int64Counter("auth.refreshes",
		metric.WithUnit("{token}"), metric.WithDescription("Refresh tokens that this service had made, by verdict."))
	if err != nil {
		return counters{}, fmt.Errorf("metrics: %w", err)
	}
	exchanges, err := meter.Int64Counter("auth.exchanges",
		metric.WithUnit("{token}"), metric.WithDescription("Tokens that were to be exchanged, by external issuer and verdict."))
	if err != nil {
		return counters{}, fmt.Errorf("metrics: %w", err)
	}
	for _, v := range []account.Verdict{account.Rotated, account.Repeated, account.Reused, account.Ahead, account.Refused} {
		refreshes.Add(context.Background(), 0, verdict(v))
	}
	for _, issuer := range issuers {
		for _, v := range account.ExchangedVerdicts() {
			exchanges.Add(context.Background(), 0, exchanged(issuer, v))
		}
	}
	for _, v := range []account.Exchanged{account.ExchangedRefused, account.ExchangedFailed} {
		exchanges.Add(context.Background(), 0, exchanged("", v)) // no issuer vouches for the token
	}
	return counters{
		refreshes: func(ctx context.Context, v account.Verdict) { refreshes.Add(ctx, 1, verdict(v)) },
		exchanges: func(ctx context.Context, issuer string, v account.Exchanged) {
			exchanges.Add(ctx, 1, exchanged(issuer, v))
		},
	}, nil
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

func exchanged(issuer string, v account.Exchanged) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("auth.issuer", issuer), attribute.String("auth.verdict", string(v)))
}
