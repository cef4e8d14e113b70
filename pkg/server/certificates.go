package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
)

// MeasureCertificates lets provider collect when certificates end that are used
// for something ("listener", "auth", "kafka"), and how long they are valid as a
// whole, for as long as the process lives. Without a provider, or files, nothing
// is measured.
func MeasureCertificates(provider metric.MeterProvider, use string, files *certfile.Files) error {
	if provider == nil || files == nil {
		return nil
	}
	m := provider.Meter("github.com/curfew-platform/curfew/pkg/server")
	expiry, err1 := m.Int64ObservableGauge("curfew.certificate.expiry", metric.WithUnit("s"),
		metric.WithDescription("When a certificate chain, or the last authority that is trusted, ends: seconds since 1970."))
	life, err2 := m.Int64ObservableGauge("curfew.certificate.life", metric.WithUnit("s"), metric.WithDescription("From its beginning to its end."))
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("metrics of certificates: %w", err)
	}
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		chain, authorities := files.Validity()
		for kind, v := range map[string]certfile.Validity{"chain": chain, "authorities": authorities} {
			if v.Until.IsZero() {
				continue
			}
			of := metric.WithAttributes(attribute.String("curfew.certificate.use", use), attribute.String("curfew.certificate.kind", kind))
			o.ObserveInt64(expiry, v.Until.Unix(), of)
			o.ObserveInt64(life, int64(v.Until.Sub(v.From)/time.Second), of)
		}
		return nil
	}, expiry, life)
	if err != nil {
		return fmt.Errorf("metrics of certificates: %w", err)
	}
	return nil
}
