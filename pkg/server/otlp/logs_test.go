package otlp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry/telemetrytest"
	"github.com/curfew-platform/curfew/pkg/server/otlp"
)

// open returns where the telemetry of a service goes, owned by a group.
func open(t *testing.T, addr string) (*otlp.Telemetry, *lifecycle.Group) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+addr)
	to, err := otlp.New(t.Context(), "shop", "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g := newGroup(t)
	if err := to.Add(g); err != nil {
		t.Fatal(err)
	}
	return to, g
}

func stop(t *testing.T, g *lifecycle.Group) error {
	t.Helper()
	g.Shutdown(nil)
	return g.Run(context.Background())
}

func TestALogRecordArrivesAtTheCollectorAsItStandsInTheLocalLog(t *testing.T) {
	var local bytes.Buffer
	collector, err := telemetrytest.InTime(t, func(c *telemetrytest.Collector) error {
		local.Reset()
		to, g := open(t, c.Addr)
		log := slog.New(to.Handler(slog.NewJSONHandler(&local, &slog.HandlerOptions{Level: slog.LevelInfo})))
		log.Debug("below the level")
		log.With("part", "a").WithGroup("g").Warn("something happened", "n", 3, "took", 2*time.Second, "error", errors.New("it broke"), "list", []string{"x", "y"})
		return stop(t, g)
	})
	if err != nil {
		t.Error(err)
	}
	records := collector.Records()
	if len(records) != 1 || records[0].Level != "WARN" || records[0].Text != "something happened" || records[0].Resource["service.name"] != "shop" {
		t.Fatalf("got %+v", records)
	}
	if got := records[0].Attributes["part"]; got != "a" {
		t.Errorf("part is %q", got)
	}
	for _, want := range []string{"it broke", `["x","y"]`, "2000000000"} {
		if !strings.Contains(strings.ReplaceAll(records[0].Attributes["g"], `\"`, `"`), want) {
			t.Errorf("%s is missing in %v", want, records[0].Attributes)
		}
	}
	var line struct{ G map[string]any }
	if err := json.Unmarshal(local.Bytes(), &line); err != nil || line.G["error"] != "it broke" {
		t.Errorf("the local log has %s", local.String())
	}
}

// hidden tells nobody but who looks into it.
type hidden struct{ secret string }

func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"[hidden]"`), nil }

// holder has a secret in a field that the local log does not write.
type holder struct {
	Name   string
	secret string
}

func TestWhatTheLocalLogHidesTheCollectorDoesNotGet(t *testing.T) {
	const secret = "correct-horse"
	values := map[string]any{
		"token": token.Raw(secret), "tokens": []token.Raw{secret}, "json": hidden{secret}, "pointer": &hidden{secret},
		"field": holder{Name: "n", secret: secret}, "map": map[string]any{"deep": hidden{secret}}, "bytes": json.RawMessage(`"fine"`),
	}
	collector, err := telemetrytest.InTime(t, func(c *telemetrytest.Collector) error {
		to, g := open(t, c.Addr)
		log := slog.New(to.Handler(slog.NewJSONHandler(new(bytes.Buffer), nil)))
		for name, v := range values {
			log.Info("once", name, v)
			log.With(name, v).Info("with")
			log.Info("group", slog.Group("g", slog.Any(name, v)))
		}
		return stop(t, g)
	})
	if err != nil {
		t.Error(err)
	}
	records := collector.Records()
	if len(records) != 3*len(values) {
		t.Errorf("%d records", len(records))
	}
	for _, r := range records {
		if text := fmt.Sprint(slices.Collect(maps.Values(r.Attributes))); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprint([]byte(secret))) {
			t.Errorf("%v", r)
		}
	}
}

func TestSignalsAreTurnedOffOneByOne(t *testing.T) {
	t.Setenv("OTEL_LOGS_EXPORTER", "none")
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	collector, err := telemetrytest.InTime(t, func(c *telemetrytest.Collector) error {
		to, g := open(t, c.Addr)
		slog.New(to.Handler(slog.NewJSONHandler(new(bytes.Buffer), nil))).Info("a line")
		called(t, to.ServerOptions())
		return stop(t, g)
	})
	if err != nil {
		t.Error(err)
	}
	if collector.Logs() != 0 || len(collector.Spans()) != 0 || collector.Points("rpc.server.call.duration") == 0 {
		t.Errorf("%d records, %d spans, metrics %v", collector.Logs(), len(collector.Spans()), collector.Metrics())
	}
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	if to, err := otlp.New(t.Context(), "shop", "v1", slog.New(slog.DiscardHandler)); to != nil || err != nil {
		t.Errorf("%v, %v", to, err)
	}
	t.Setenv("OTEL_METRICS_EXPORTER", "prometheus")
	if _, err := otlp.New(t.Context(), "shop", "v1", slog.New(slog.DiscardHandler)); lifecycle.ExitCode(err) != lifecycle.ExitUsage {
		t.Error(err)
	}
}
