package telemetry_test

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry"
)

// keeper is an exporter that keeps what it got when it is shut down, and remembers when that was.
type keeper struct {
	spans  tracetest.SpanStubs
	closed time.Time
}

func (k *keeper) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	if !k.closed.IsZero() {
		return errors.New("exported after the shutdown")
	}
	k.spans = append(k.spans, tracetest.SpanStubsFromReadOnlySpans(spans)...)
	return nil
}

func (k *keeper) Shutdown(context.Context) error {
	k.closed = time.Now()
	return nil
}

// find returns the span of a part, of a phase if the part is empty, of the stop if both are.
func (k *keeper) find(t *testing.T, phase, part string) tracetest.SpanStub {
	t.Helper()
	name := "process.stop"
	switch {
	case part != "":
		name = "process.stop.part"
	case phase != "":
		name = "process.stop.phase"
	}
	for _, s := range k.spans {
		if s.Name == name && text(s, "lifecycle.phase") == phase && text(s, "lifecycle.part") == part {
			return s
		}
	}
	t.Fatalf("no span %s %s %s", name, phase, part)
	return tracetest.SpanStub{}
}

func text(s tracetest.SpanStub, key attribute.Key) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

func newGroup(t *testing.T, opts ...lifecycle.Option) *lifecycle.Group {
	t.Helper()
	g, err := lifecycle.New(append([]lifecycle.Option{lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func add(t *testing.T, g *lifecycle.Group, parts ...lifecycle.Part) {
	t.Helper()
	for _, p := range parts {
		if err := g.Add(p); err != nil {
			t.Fatal(err)
		}
	}
}

// takes is a Stop that obeys.
func takes(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func TestAStopIsOneTraceWithTheTimesOfItsReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &keeper{}
		g := newGroup(t)
		left := int64(7)
		var poolClosed time.Time
		add(t, g,
			lifecycle.Part{Name: "consumer", Phase: lifecycle.Drain, Stop: takes(3 * time.Second), Remaining: func() int64 { return left }},
			lifecycle.Part{Name: "sink", Phase: lifecycle.Commit, Stop: takes(20 * time.Second)},
			lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: func(ctx context.Context) error {
				defer func() { poolClosed = time.Now() }()
				return takes(700 * time.Millisecond)(ctx)
			}},
		)
		if err := telemetry.Add(g, "telemetry", telemetry.WithTraces(sdktrace.NewTracerProvider(sdktrace.WithBatcher(kept)))); err != nil {
			t.Fatal(err)
		}
		go func() {
			<-g.Started()
			g.Signal(nil)
		}()
		if err := g.Run(t.Context()); lifecycle.ExitCode(err) != lifecycle.ExitDeadline {
			t.Error(err)
		}
		r := g.Report()
		if n := len(kept.spans); n != 1+6+4 {
			t.Errorf("%d spans", n)
		}
		root := kept.find(t, "", "")
		if !root.StartTime.Equal(r.Began) || text(root, "lifecycle.outcome") != "forced" || root.Status.Code != codes.Error || len(root.Events) != 1 {
			t.Errorf("%+v", root)
		}
		for _, s := range kept.spans {
			if s.SpanContext.TraceID() != root.SpanContext.TraceID() {
				t.Errorf("%s is of another trace", s.Name)
			}
		}
		drain, consumer := kept.find(t, "drain", ""), kept.find(t, "drain", "consumer")
		if drain.Parent.SpanID() != root.SpanContext.SpanID() || consumer.Parent.SpanID() != drain.SpanContext.SpanID() {
			t.Error("spans don't hang together")
		}
		if took := consumer.EndTime.Sub(consumer.StartTime); took != 3*time.Second || consumer.Status.Code != codes.Error ||
			text(consumer, "lifecycle.remaining.before") != "7" || text(consumer, "lifecycle.remaining.after") != "7" || text(consumer, "lifecycle.outcome") != "failed" {
			t.Errorf("consumer took %v: %+v", took, consumer)
		}
		sink := kept.find(t, "commit", "sink")
		if took := sink.EndTime.Sub(sink.StartTime); took != 5*time.Second || text(sink, "lifecycle.outcome") != "forced" || !sink.StartTime.Equal(drain.EndTime) {
			t.Errorf("sink took %v: %+v", took, sink)
		}
		pool, own := kept.find(t, "close", "pool"), kept.find(t, "close", "telemetry")
		if text(pool, "lifecycle.outcome") != "clean" || pool.Status.Code == codes.Error || text(own, "lifecycle.outcome") != "underway" {
			t.Errorf("pool %+v, own %+v", pool, own)
		}
		if poolClosed.IsZero() || kept.closed.Before(poolClosed) {
			t.Errorf("the exporter was closed %v after the pool", kept.closed.Sub(poolClosed))
		}
	})
}

func TestAnAbandonedPartHasItsStackInTheTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, release := &keeper{}, make(chan struct{})
		defer close(release)
		g := newGroup(t)
		add(t, g, lifecycle.Part{
			Name: "hung", Phase: lifecycle.Leave, Stop: func(context.Context) error { <-release; return nil },
			Stuck: func() []string { return []string{"a call"} },
		})
		if err := telemetry.Add(g, "telemetry", telemetry.WithTraces(sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)))); err != nil {
			t.Fatal(err)
		}
		g.Shutdown(errors.New("broken"))
		_ = g.Run(t.Context()) // it hangs
		hung := kept.find(t, "leave", "hung")
		if text(hung, "lifecycle.outcome") != "abandoned" || !strings.Contains(text(hung, "code.stacktrace"), "telemetry_test.") || text(hung, "lifecycle.stuck") != `["a call"]` {
			t.Errorf("%+v", hung.Attributes)
		}
		if root := kept.find(t, "", ""); text(root, "lifecycle.outcome") != "abandoned" || text(root, "lifecycle.cause") != "broken" {
			t.Errorf("%+v", root.Attributes)
		}
	})
}

func TestTheOthersOfItsPhaseTakeNoTimeFromTheFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, release := &keeper{}, make(chan struct{})
		defer close(release)
		g := newGroup(t)
		add(t, g, lifecycle.Part{Name: "hung", Phase: lifecycle.Close, Stop: func(context.Context) error { <-release; return nil }})
		if err := telemetry.Add(g, "telemetry", telemetry.WithTraces(sdktrace.NewTracerProvider(sdktrace.WithBatcher(kept)))); err != nil {
			t.Fatal(err)
		}
		g.Shutdown(nil)
		_ = g.Run(t.Context()) // it hangs
		r := g.Report()
		if own := r.Phases[5].Parts[1]; own.Outcome != lifecycle.Clean || time.Duration(own.Used) != 1500*time.Millisecond {
			t.Errorf("%+v", own)
		}
		if hung := kept.find(t, "close", "hung"); text(hung, "lifecycle.outcome") != "underway" {
			t.Errorf("%+v", hung.Attributes)
		}
	})
}

// gauges reads what the metrics say, by name and part or phase.
func gauges(t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	key := func(name string, attrs attribute.Set) string {
		for _, k := range []attribute.Key{"lifecycle.part", "lifecycle.phase", "lifecycle.outcome"} {
			if v, ok := attrs.Value(k); ok {
				return name + " " + v.AsString()
			}
		}
		return name
	}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					values[key(m.Name, p.Attributes)] = p.Value
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					values[key(m.Name, p.Attributes)] = float64(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					values[key(m.Name, p.Attributes)] = p.Sum
				}
			}
		}
	}
	return values
}

// lastLook is a meter provider that lets the test collect before it is shut down.
type lastLook struct {
	*sdkmetric.MeterProvider

	look func()
}

func (l lastLook) Shutdown(ctx context.Context) error {
	l.look()
	return l.MeterProvider.Shutdown(ctx)
}

func TestTheMetricsSayHowLongAStopWouldTakeAndTook(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		var last map[string]float64
		mp := lastLook{sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), func() { last = gauges(t, reader) }}
		g := newGroup(t, lifecycle.WithPropagation(time.Second))
		begin, remaining := time.Now(), int64(3000)
		add(t, g,
			lifecycle.Part{
				Name: "orders-consumer", Phase: lifecycle.Drain, Stop: func(context.Context) error { remaining = 0; return nil },
				Remaining: func() int64 { return remaining },
				Completed: func() uint64 { return uint64(time.Since(begin)/time.Millisecond) * 75 / 1000 },
			},
			lifecycle.Part{Name: "quiet", Phase: lifecycle.Close, Stop: takes(0)},
		)
		if err := telemetry.Add(g, "telemetry", telemetry.WithMetrics(mp)); err != nil {
			t.Fatal(err)
		}
		go func() {
			<-g.Started()
			if now := gauges(t, reader); len(now) != 1 || now["lifecycle.stop.window"] != 28 {
				t.Errorf("before the first prediction: %v", now)
			}
			time.Sleep(20500 * time.Millisecond)
			now := gauges(t, reader)
			for name, want := range map[string]float64{
				"lifecycle.prediction.now": 41, "lifecycle.prediction.p50": 41, "lifecycle.prediction.p99": 41, "lifecycle.stop.window": 28,
				"lifecycle.part.remaining orders-consumer": 3000, "lifecycle.part.rate orders-consumer": 75, "lifecycle.part.need orders-consumer": 40,
			} {
				if now[name] != want {
					t.Errorf("%s is %v, not %v", name, now[name], want)
				}
				delete(now, name)
			}
			if len(now) > 0 {
				t.Errorf("more: %v", now)
			}
			g.Shutdown(nil)
		}()
		if err := g.Run(t.Context()); err != nil {
			t.Error(err)
		}
		for name, want := range map[string]float64{
			"lifecycle.stop.duration clean": 1, "lifecycle.stop.phase.duration announce": 1,
			"lifecycle.stop.part.duration orders-consumer": 0, "lifecycle.stop.part.left orders-consumer": 0,
		} {
			if got, ok := last[name]; !ok || math.Abs(got-want) > 0.01 {
				t.Errorf("%s is %v (%v), not %v", name, got, ok, want)
			}
		}
		for key := range last {
			if name, _, _ := strings.Cut(key, " "); !strings.Contains(string(doc), "//\t"+name+" ") {
				t.Errorf("%s is not documented", name)
			}
		}
	})
}

func TestWithoutAGroupOrAProviderThereIsNothingToAdd(t *testing.T) {
	g := newGroup(t)
	if telemetry.Add(nil, "telemetry", telemetry.WithLogs(sdktrace.NewTracerProvider())) == nil {
		t.Error("no group")
	}
	if telemetry.Add(g, "telemetry", nil, telemetry.WithTraces(nil), telemetry.WithMetrics(nil), telemetry.WithLogs(nil)) == nil {
		t.Error("no provider")
	}
	if telemetry.Add(g, "", telemetry.WithLogs(sdktrace.NewTracerProvider())) == nil {
		t.Error("no name")
	}
}
