package logproc

import (
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
)

func TestEndsOfWorkersAreCountedFromTheBeginning(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	exited, err := countExits(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter(meterName))
	if err != nil {
		t.Fatal(err)
	}
	counts := func() map[supervisor.Reason]int64 {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		by := map[supervisor.Reason]int64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				sum, ok := m.Data.(metricdata.Sum[int64])
				if !ok {
					t.Fatalf("%s is a %T", m.Name, m.Data)
				}
				for _, p := range sum.DataPoints {
					reason, _ := p.Attributes.Value("logproc.reason")
					by[supervisor.Reason(reason.AsString())] = p.Value
				}
			}
		}
		return by
	}
	before := counts()
	for _, r := range supervisor.Reasons() {
		if n, there := before[r]; !there || n != 0 {
			t.Errorf("%s begins at %d, there %v", r, n, there)
		}
	}
	exited(supervisor.Exit{Reason: supervisor.ReasonStalled})
	after := counts()
	if after[supervisor.ReasonStalled] != 1 || len(after) != len(before) {
		t.Errorf("after one end: %v", after)
	}
}
