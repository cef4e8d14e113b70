package server

import (
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	certs "github.com/curfew-platform/curfew/pkg/localenv/authority"
)

// collect returns the gauges of a reader by name and kind.
func collect(t *testing.T, reader sdkmetric.Reader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			gauge, ok := m.Data.(metricdata.Gauge[int64])
			if !ok {
				continue
			}
			for _, point := range gauge.DataPoints {
				kind, _ := point.Attributes.Value("curfew.certificate.kind")
				use, _ := point.Attributes.Value("curfew.certificate.use")
				values[m.Name+" "+use.AsString()+" "+kind.AsString()] = point.Value
			}
		}
	}
	return values
}

func TestTheEndOfCertificatesIsMeasured(t *testing.T) {
	dir := t.TempDir()
	ca := certs.New(t, dir, "ca")
	cert, key := ca.Issue(t, dir, "listener")
	files, err := certfile.Open(certfile.Paths{Cert: cert, Key: key, CA: ca.File}, nil)
	if err != nil {
		t.Fatal(err)
	}
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	if err := MeasureCertificates(provider, "listener", files); err != nil {
		t.Fatal(err)
	}
	chain, authorities := files.Validity()
	want := map[string]int64{
		"curfew.certificate.expiry listener chain":       chain.Until.Unix(),
		"curfew.certificate.expiry listener authorities": authorities.Until.Unix(),
		"curfew.certificate.life listener chain":         7200,
		"curfew.certificate.life listener authorities":   7200,
	}
	got := collect(t, reader)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %d, want %d", name, got[name], value)
		}
	}
	if err := MeasureCertificates(nil, "listener", files); err != nil {
		t.Error(err)
	}
	if err := MeasureCertificates(provider, "listener", nil); err != nil {
		t.Error(err)
	}
}
