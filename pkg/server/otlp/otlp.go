// Package otlp sends the traces and metrics of a service to an OpenTelemetry collector, over OTLP/gRPC. Which collector,
// with which certificates, headers, timeouts, sampling and resource attributes, is said by the standard variables OTEL_*
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). Worker processes of a service send nothing.
package otlp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc/filters"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry"
)

// Telemetry is where a process sends its traces and metrics.
type Telemetry struct {
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
}

// Add makes the providers and lets g own them: they are the last that a stop ends. It returns nil where
// OTEL_SDK_DISABLED is true. It does not wait for the collector, and a collector that is absent costs a stop 1 s at
// most. What can't be exported is logged to log.
func Add(ctx context.Context, g *lifecycle.Group, service, version string, log *slog.Logger) (*Telemetry, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil //nolint:nilnil // there is none, as was wished
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"} {
		if v := os.Getenv(name); v != "" && v != "grpc" {
			return nil, &lifecycle.UsageError{Err: fmt.Errorf("%s is %q: only grpc is supported", name, v)}
		}
	}
	// What the environment says of the resource comes last and wins.
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.version", version), attribute.String("service.instance.id", rand.Text()),
	), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, &lifecycle.UsageError{Err: fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)}
	}
	spans, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("exporter of traces: %w", err)
	}
	points, err := otlpmetricgrpc.New(ctx)
	if err != nil {
		_ = spans.Shutdown(ctx) // it has sent nothing
		return nil, fmt.Errorf("exporter of metrics: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("telemetry was not exported", "error", err)
	}))
	t := &Telemetry{
		traces:  sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res)),
		metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)), sdkmetric.WithResource(res)),
	}
	if err := telemetry.Add(g, "telemetry", telemetry.WithTraces(t.traces), telemetry.WithMetrics(t.metrics)); err != nil {
		return nil, err
	}
	return t, nil
}

// ServerOptions makes a gRPC server trace and measure its calls, but for health checks, by the conventions of
// OpenTelemetry. A call goes on with the trace of its client (W3C Trace Context). On nil there are none.
func (t *Telemetry) ServerOptions() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(t.traces), otelgrpc.WithMeterProvider(t.metrics),
		otelgrpc.WithPropagators(propagation.TraceContext{}), otelgrpc.WithFilter(filters.Not(filters.HealthCheck())),
	))}
}
