// Package otlp sends the traces, metrics and logs of a service to an OpenTelemetry collector, over OTLP/gRPC. Which
// collector, with which certificates, headers, timeouts, sampling and resource attributes, is said by the standard variables
// OTEL_* (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). Worker processes of a service
// send nothing.
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
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry"
)

// Telemetry is where a process sends its traces, metrics and logs. The methods of nil do nothing.
type Telemetry struct {
	traces  *sdktrace.TracerProvider // nil for none, like the others
	metrics *sdkmetric.MeterProvider
	logs    *sdklog.LoggerProvider
}

// New makes the providers, which Add gives to a group. It returns nil where OTEL_SDK_DISABLED is true, or every signal is
// turned off by OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER and OTEL_LOGS_EXPORTER. It does not wait for the collector. What
// can't be exported is logged to log, which must not lead back to [Telemetry.Handler].
func New(ctx context.Context, service, version string, log *slog.Logger) (*Telemetry, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil //nolint:nilnil // there is none, as was wished
	}
	wanted, err := signals()
	if err != nil {
		return nil, &lifecycle.UsageError{Err: err}
	}
	if len(wanted) == 0 {
		return nil, nil //nolint:nilnil // there is none, as was wished
	}
	// What the environment says of the resource comes last and wins.
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.version", version), attribute.String("service.instance.id", rand.Text()),
	), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, &lifecycle.UsageError{Err: fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("telemetry was not exported", "error", err)
	}))
	t := &Telemetry{}
	for _, signal := range wanted {
		if err := t.open(ctx, signal, res, log); err != nil {
			t.abandon(ctx)
			return nil, fmt.Errorf("exporter of %s: %w", signal, err)
		}
	}
	return t, nil
}

// The signals.
const (
	traces  = "traces"
	metrics = "metrics"
	logs    = "logs"
)

// signals returns what is to be sent.
func signals() ([]string, error) {
	var wanted []string
	for _, signal := range []string{traces, metrics, logs} {
		upper := strings.ToUpper(signal)
		for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_" + upper + "_PROTOCOL"} {
			if v := os.Getenv(name); v != "" && v != "grpc" {
				return nil, fmt.Errorf("%s is %q: only grpc is supported", name, v)
			}
		}
		name := "OTEL_" + upper + "_EXPORTER"
		switch v := os.Getenv(name); v {
		case "", "otlp":
			wanted = append(wanted, signal)
		case "none":
		default:
			return nil, fmt.Errorf("%s is %q: only otlp and none are supported", name, v)
		}
	}
	return wanted, nil
}

func (t *Telemetry) open(ctx context.Context, signal string, res *resource.Resource, log *slog.Logger) error {
	secure, err := transport(signal, log)
	if err != nil {
		return err
	}
	switch signal {
	case traces:
		var options []otlptracegrpc.Option
		if secure != nil {
			options = append(options, otlptracegrpc.WithTLSCredentials(secure))
		}
		spans, err := otlptracegrpc.New(ctx, options...)
		if err != nil {
			return err
		}
		t.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res))
	case metrics:
		var options []otlpmetricgrpc.Option
		if secure != nil {
			options = append(options, otlpmetricgrpc.WithTLSCredentials(secure))
		}
		points, err := otlpmetricgrpc.New(ctx, options...)
		if err != nil {
			return err
		}
		t.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)), sdkmetric.WithResource(res))
		if err := runtime.Start(runtime.WithMeterProvider(t.metrics)); err != nil {
			return err
		}
	case logs:
		var options []otlploggrpc.Option
		if secure != nil {
			options = append(options, otlploggrpc.WithTLSCredentials(secure))
		}
		records, err := otlploggrpc.New(ctx, options...)
		if err != nil {
			return err
		}
		t.logs = sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)), sdklog.WithResource(res))
	}
	return nil
}

// abandon ends providers that have nothing to send yet.
func (t *Telemetry) abandon(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if t.traces != nil {
		_ = t.traces.Shutdown(ctx)
	}
	if t.metrics != nil {
		_ = t.metrics.Shutdown(ctx)
	}
}

// Add lets g own the providers: they are the last that a stop ends, and a collector that is absent costs it 1 s at most.
func (t *Telemetry) Add(g *lifecycle.Group) error {
	if t == nil {
		return nil
	}
	var options []telemetry.Option
	if t.traces != nil {
		options = append(options, telemetry.WithTraces(t.traces))
	}
	if t.metrics != nil {
		options = append(options, telemetry.WithMetrics(t.metrics))
	}
	if t.logs != nil {
		options = append(options, telemetry.WithLogs(t.logs))
	}
	return telemetry.Add(g, "telemetry", options...)
}

// Meters is where a service records its metrics; nil if they go nowhere.
func (t *Telemetry) Meters() metric.MeterProvider {
	if t == nil || t.metrics == nil {
		return nil
	}
	return t.metrics
}

// ServerOptions makes a gRPC server trace and measure its calls, but for health checks, by the conventions of
// OpenTelemetry. A call goes on with the trace of its client (W3C Trace Context). On nil there are none.
func (t *Telemetry) ServerOptions() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	options := []otelgrpc.Option{
		otelgrpc.WithTracerProvider(tracenoop.NewTracerProvider()), otelgrpc.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelgrpc.WithPropagators(propagation.TraceContext{}), otelgrpc.WithFilter(filters.Not(filters.HealthCheck())),
	}
	if t.traces != nil {
		options = append(options, otelgrpc.WithTracerProvider(t.traces))
	}
	if t.metrics != nil {
		options = append(options, otelgrpc.WithMeterProvider(t.metrics))
	}
	return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(options...))}
}
