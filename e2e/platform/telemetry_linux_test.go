package platform

import (
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry/telemetrytest"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
)

// The last that a process does is to send the trace of its stop.
func TestTheStopOfAServiceArrivesAtItsCollector(t *testing.T) {
	t.Parallel()
	collector := telemetrytest.New(t)
	collector.Watch(func(text string) { leak.Text("telemetry of orders", text) })
	p, err := platform.StartService(t.Context(), "orders", []string{
		"CURFEW_ORDERS_TELEMETRY=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + collector.Addr,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	report := stopWithin(t, p, grace)
	spans := map[string]telemetrytest.Span{}
	for _, s := range collector.Spans() {
		if s.Resource["service.name"] != "orders" {
			t.Errorf("a span of %v", s.Resource)
		}
		if strings.HasPrefix(s.Name, "process.stop") {
			spans[s.Attributes["lifecycle.phase"]+"/"+s.Attributes["lifecycle.part"]] = s
		}
	}
	root := spans["/"]
	if root.Name != "process.stop" || root.Parent != "" || root.Attributes["lifecycle.cause"] != report.Cause || root.Failed {
		t.Errorf("the root is %+v", root)
	}
	for _, phase := range report.Phases {
		name := phase.Phase.String()
		span, ok := spans[name+"/"]
		if !ok || span.Parent != root.ID || span.Failed {
			t.Errorf("%s: %+v", name, span)
		}
		for _, part := range phase.Parts {
			if got, ok := spans[name+"/"+part.Name]; !ok || got.Parent != span.ID || got.Failed {
				t.Errorf("%s, %s: %+v", name, part.Name, got)
			}
		}
	}
	for _, metric := range []string{"lifecycle.stop.duration", "lifecycle.stop.phase.duration", "lifecycle.stop.part.duration", "lifecycle.stop.window"} {
		if collector.Points(metric) == 0 {
			t.Errorf("there is no %s", metric)
		}
	}
}
