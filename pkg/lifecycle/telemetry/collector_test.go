package telemetry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry/telemetrytest"
)

// exporting adds providers with real exporters to addr, and a log record, to g. They don't retry, so that those which were
// left behind end with the test.
func exporting(t *testing.T, g *lifecycle.Group, addr string) {
	t.Helper()
	ctx := t.Context()
	traces, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(addr), otlptracegrpc.WithInsecure(), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(addr), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(addr), otlploggrpc.WithInsecure(), otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	lp := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)))
	lp.Logger("test").Emit(ctx, log.Record{})
	err = telemetry.Add(g, "telemetry",
		telemetry.WithTraces(sdktrace.NewTracerProvider(sdktrace.WithBatcher(traces))),
		telemetry.WithMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))),
		telemetry.WithLogs(lp))
	if err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, g *lifecycle.Group) (lifecycle.Report, error) {
	t.Helper()
	go func() {
		<-g.Started()
		g.Shutdown(nil)
	}()
	err := g.Run(context.Background())
	return g.Report(), err
}

func TestACollectorGetsEverythingBeforeTheProcessEnds(t *testing.T) {
	var r lifecycle.Report
	c, err := telemetrytest.InTime(t, func(c *telemetrytest.Collector) (err error) {
		g := newGroup(t)
		add(t, g, lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: takes(20 * time.Millisecond)})
		exporting(t, g, c.Addr)
		r, err = stop(t, g)
		return err
	})
	if err != nil || r.Outcome != lifecycle.Clean {
		t.Errorf("%v\n%s", err, r)
	}
	var pool bool
	for _, s := range c.Spans() {
		pool = pool || s.Name == "process.stop.part" && s.Attributes["lifecycle.part"] == "pool" && s.Attributes["lifecycle.outcome"] == "clean"
	}
	if len(c.Spans()) != 1+6+2 || !pool {
		t.Errorf("%+v", c.Spans())
	}
	if c.Logs() != 1 || c.Points("lifecycle.stop.duration") != 1 || c.Points("lifecycle.stop.phase.duration") != 6 || c.Points("lifecycle.stop.window") != 1 {
		t.Errorf("%d logs, %d stops", c.Logs(), c.Points("lifecycle.stop.duration"))
	}
}

func TestAFrozenCollectorCostsAStopOneSecond(t *testing.T) {
	// More than a second for Close, so that the second is seen to be the limit, also on a busy machine.
	g := newGroup(t, lifecycle.WithBudget(lifecycle.Close, 10*time.Second, 10*time.Second))
	add(t, g, lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: takes(20 * time.Millisecond)})
	exporting(t, g, telemetrytest.Frozen(t))
	begin := time.Now()
	r, err := stop(t, g)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	parts := map[string]lifecycle.PartReport{}
	for _, p := range r.Phases[lifecycle.Close-1].Parts {
		parts[p.Name] = p
	}
	own := parts["telemetry"]
	if lifecycle.ExitCode(err) != lifecycle.ExitError || own.Outcome != lifecycle.Failed || parts["pool"].Outcome != lifecycle.Clean {
		t.Errorf("%v\n%s", err, r)
	}
	for _, what := range []string{"traces: ", "metrics: ", "logs: "} {
		if !strings.Contains(own.Error, what) {
			t.Errorf("%q does not name %q", own.Error, what)
		}
	}
}
