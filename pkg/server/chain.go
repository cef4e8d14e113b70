package server

import (
	"fmt"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/rate"
	"github.com/curfew-platform/curfew/pkg/interceptors/telemetry"
)

// NewChain returns the chain of cfg, completed by what the settings say for
// every service: the rates, the figures of calls where telemetry is on, the
// audit, which goes to the logger, and reflection. The figures of what the
// chain holds are read for as long as the process lives, so that its last
// export has them too. Without a runtime, for --check, nothing is measured.
func NewChain(rt *Runtime, settings *Settings, cfg interceptors.Config) (*interceptors.Chain, error) {
	cfg.Reflection = settings.Reflection
	cfg.Rates = settings.rates()
	cfg.Audit = interceptors.AuditLog(cfg.Logger)
	if provider := meters(rt, settings); provider != nil {
		meter, err := telemetry.New(provider)
		if err != nil {
			return nil, fmt.Errorf("chain: %w", err)
		}
		cfg.Metrics = meter
		tokens, _ := cfg.Verifier.(telemetry.Tokens)
		feed, _ := cfg.Revocation.(telemetry.Feed)
		if _, err := telemetry.Observe(provider, tokens, feed); err != nil {
			return nil, fmt.Errorf("chain: %w", err)
		}
	}
	return interceptors.New(cfg)
}

// meters is where figures go, nil for nowhere.
func meters(rt *Runtime, settings *Settings) metric.MeterProvider {
	switch {
	case rt != nil:
		return rt.Telemetry.Meters()
	case settings.Telemetry == telemetryOTLP:
		return noop.NewMeterProvider()
	default:
		return nil
	}
}

func (s *Settings) rates() interceptors.Rates {
	return interceptors.Rates{
		Address:  rate.Limit{PerSecond: s.AddressRate},
		Identity: rate.Limit{PerSecond: s.IdentityRate},
		Proxies:  s.TrustedProxies,
	}
}
