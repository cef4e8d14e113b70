package telemetry_test

import (
	"context"
	"fmt"
	"io"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry"
)

// printer stands for an exporter to a collector.
type printer struct{}

func (printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		attrs := attribute.NewSet(s.Attributes()...)
		if part, ok := attrs.Value("lifecycle.part"); ok {
			outcome, _ := attrs.Value("lifecycle.outcome")
			fmt.Println(s.Name(), part.AsString(), outcome.AsString())
		}
	}
	return nil
}

func (printer) Shutdown(context.Context) error {
	fmt.Println("the exporter closes last")
	return nil
}

// The stop becomes a trace, which is sent before the exporter closes.
func Example() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	tracing := sdktrace.NewTracerProvider(sdktrace.WithBatcher(printer{}))
	if err := telemetry.Add(group, "telemetry", telemetry.WithTraces(tracing)); err != nil {
		fmt.Println(err)
		return
	}
	pool := lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: func(context.Context) error { return nil }}
	if err := group.Add(pool); err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		<-group.Started()
		group.Shutdown(nil)
	}()
	if err := group.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// process.stop.part telemetry underway
	// process.stop.part pool clean
	// the exporter closes last
}
