package otlp_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry/telemetrytest"
	"github.com/curfew-platform/curfew/pkg/server/otlp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newGroup(t *testing.T) *lifecycle.Group {
	t.Helper()
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// called serves with these options, calls health and reflection, and stops the server.
func called(t *testing.T, options []grpc.ServerOption) {
	t.Helper()
	srv := grpc.NewServer(options...)
	healthv1.RegisterHealthServer(srv, health.NewServer())
	reflection.Register(srv)
	lis, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	srv.GracefulStop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestACollectorGetsCallsAndTheStopUnderTheNameOfTheService(t *testing.T) {
	for name, c := range map[string]struct {
		env            map[string]string
		want, instance string // instance: empty for a random one
	}{
		"its own name": {nil, "shop", ""},
		"the names of the environment": {
			map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=curfew.shop-0.shop,service.name=eshop,team=a"}, "eshop", "curfew.shop-0.shop",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			collector, err := telemetrytest.InTime(t, func(c *telemetrytest.Collector) error {
				to, g := open(t, c.Addr)
				called(t, to.ServerOptions())
				return stop(t, g)
			})
			if err != nil {
				t.Error(err)
			}
			names := map[string]int{}
			for _, s := range collector.Spans() {
				names[s.Name]++
				if s.Resource["service.name"] != c.want || s.Resource["service.version"] != "v1" ||
					s.Resource["service.instance.id"] == "" || c.instance != "" && s.Resource["service.instance.id"] != c.instance {
					t.Errorf("%s is of %v", s.Name, s.Resource)
				}
			}
			if names["process.stop"] != 1 || names["grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] != 1 || len(names) != 4 {
				t.Errorf("spans %v", names)
			}
			if collector.Points("lifecycle.stop.duration") != 1 || collector.Points("rpc.server.call.duration") != 1 || collector.Points("go.goroutine.count") == 0 {
				t.Error("metrics are missing")
			}
		})
	}
}

func TestWhereItIsDisabledThereIsNothing(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	g := newGroup(t)
	to, err := otlp.New(t.Context(), "shop", "v1", slog.New(slog.DiscardHandler))
	if err != nil || to != nil || len(to.ServerOptions()) != 0 || to.Meters() != nil || to.Add(g) != nil {
		t.Errorf("%v, %v", to, err)
	}
	local := slog.DiscardHandler
	if to.Handler(local) != local {
		t.Error("logs go elsewhere too")
	}
	g.Shutdown(nil)
	if err := g.Run(context.Background()); err != nil || len(g.Report().Phases[lifecycle.Close-1].Parts) != 0 {
		t.Errorf("%v\n%v", err, g.Report())
	}
}

func TestAProtocolThatIsNotSpokenIsWrongUsage(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "http/protobuf")
			_, err := otlp.New(t.Context(), "shop", "v1", slog.New(slog.DiscardHandler))
			if lifecycle.ExitCode(err) != lifecycle.ExitUsage || !strings.Contains(err.Error(), name+` is "http/protobuf"`) {
				t.Error(err)
			}
		})
	}
}
