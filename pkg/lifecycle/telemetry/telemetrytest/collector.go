// Package telemetrytest has the two collectors that tests of telemetry need: one that keeps what it is sent over OTLP/gRPC,
// and one that has frozen.
package telemetrytest

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	metricsv1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Span is one span that a collector got.
type Span struct {
	Name       string
	ID, Parent string            // Parent is empty for the root of a trace
	Resource   map[string]string // of the process that sent it
	Attributes map[string]string
	Failed     bool
}

// Record is one log record that a collector got.
type Record struct {
	Level, Text string
	Trace       string            // of the span in which it was logged; empty for none
	Resource    map[string]string // of the process that sent it
	Attributes  map[string]string
}

// Metric is what a collector learned of one metric from all of its data points.
type Metric struct {
	Kind, Unit string
	// Attributes are the names of the attributes.
	Attributes map[string]bool
	// Services are the names of the services that sent it.
	Services map[string]bool
	// Points is how many data points have come, Last the value of the last one: of a histogram, their number.
	Points int
	Last   float64
}

// Collector keeps what it is sent. Its methods are safe for concurrent use.
type Collector struct {
	// Addr is its address, host:port, in plaintext.
	Addr string

	mu      sync.Mutex
	spans   []Span
	metrics map[string]Metric
	records []Record
	watch   func(text string)
}

// New returns a collector that serves until the test is over.
func New(t testing.TB) *Collector {
	t.Helper()
	c, stop, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return c
}

// Start returns a collector that serves until stop is called.
func Start() (c *Collector, stop func(), err error) {
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	c = &Collector{Addr: lis.Addr().String(), metrics: map[string]Metric{}}
	srv := grpc.NewServer(grpc.UnaryInterceptor(c.show))
	coltrace.RegisterTraceServiceServer(srv, traces{c: c})
	colmetrics.RegisterMetricsServiceServer(srv, metrics{c: c})
	collogs.RegisterLogsServiceServer(srv, logs{c: c})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis) // ends with Stop
	}()
	return c, func() {
		srv.Stop()
		<-served
	}, nil
}

// Watch lets f see all that comes from now on, as text, whatever kind it is of.
func (c *Collector) Watch(f func(text string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = f
}

func (c *Collector) show(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c.mu.Lock()
	watch := c.watch
	c.mu.Unlock()
	if watch != nil {
		watch(fmt.Sprint(req))
	}
	return handler(ctx, req)
}

// Frozen returns the address of a collector that accepts connections and never answers, until the test is over.
func Frozen(t testing.TB) string {
	t.Helper()
	lis := listen(t)
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				_ = c.Close()
			}
		}()
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	}()
	t.Cleanup(func() {
		_ = lis.Close()
		<-accepted
	})
	return lis.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return lis
}

// Spans returns the spans that have come so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Points returns how many data points of a metric have come so far.
func (c *Collector) Points(metric string) int { return c.Metrics()[metric].Points }

// Metrics returns the metrics that have come so far, by name.
func (c *Collector) Metrics() map[string]Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]Metric, len(c.metrics))
	for name, m := range c.metrics {
		m.Attributes, m.Services = maps.Clone(m.Attributes), maps.Clone(m.Services)
		all[name] = m
	}
	return all
}

// Logs returns how many log records have come so far.
func (c *Collector) Logs() int { return len(c.Records()) }

// Records returns the log records that have come so far.
func (c *Collector) Records() []Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Record(nil), c.records...)
}

type traces struct {
	coltrace.UnimplementedTraceServiceServer

	c *Collector
}

// Export implements the collector's service of traces.
func (s traces) Export(_ context.Context, req *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, rs := range req.GetResourceSpans() {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, span := range ss.GetSpans() {
				s.c.spans = append(s.c.spans, Span{
					Name: span.GetName(), ID: string(span.GetSpanId()), Parent: string(span.GetParentSpanId()), Resource: resource,
					Attributes: attributes(span.GetAttributes()), Failed: span.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR,
				})
			}
		}
	}
	return &coltrace.ExportTraceServiceResponse{}, nil
}

type metrics struct {
	colmetrics.UnimplementedMetricsServiceServer

	c *Collector
}

// Export implements the collector's service of metrics.
func (s metrics) Export(_ context.Context, req *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, rm := range req.GetResourceMetrics() {
		service := attributes(rm.GetResource().GetAttributes())["service.name"]
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				s.c.note(service, m)
			}
		}
	}
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

// point is a data point of any kind.
type point interface {
	GetAttributes() []*commonv1.KeyValue
}

// note adds the data points of a metric to what is known of it.
func (c *Collector) note(service string, m *metricsv1.Metric) {
	known, ok := c.metrics[m.GetName()]
	if !ok {
		known = Metric{Unit: m.GetUnit(), Attributes: map[string]bool{}, Services: map[string]bool{}}
	}
	known.Services[service] = true
	take := func(kind string, p point, value float64) {
		known.Kind, known.Last = kind, value
		known.Points++
		for _, kv := range p.GetAttributes() {
			known.Attributes[kv.GetKey()] = true
		}
	}
	for _, p := range m.GetGauge().GetDataPoints() {
		take("gauge", p, number(p))
	}
	kind := "up-down"
	if m.GetSum().GetIsMonotonic() {
		kind = "counter"
	}
	for _, p := range m.GetSum().GetDataPoints() {
		take(kind, p, number(p))
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		take("histogram", p, float64(p.GetCount()))
	}
	c.metrics[m.GetName()] = known
}

func number(p *metricsv1.NumberDataPoint) float64 {
	if v, ok := p.GetValue().(*metricsv1.NumberDataPoint_AsInt); ok {
		return float64(v.AsInt)
	}
	return p.GetAsDouble()
}

type logs struct {
	collogs.UnimplementedLogsServiceServer

	c *Collector
}

// Export implements the collector's service of logs.
func (s logs) Export(_ context.Context, req *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, rl := range req.GetResourceLogs() {
		resource := attributes(rl.GetResource().GetAttributes())
		for _, sl := range rl.GetScopeLogs() {
			for _, r := range sl.GetLogRecords() {
				s.c.records = append(s.c.records, Record{
					Level: r.GetSeverityText(), Text: r.GetBody().GetStringValue(), Trace: hex.EncodeToString(r.GetTraceId()),
					Resource: resource, Attributes: attributes(r.GetAttributes()),
				})
			}
		}
	}
	return &collogs.ExportLogsServiceResponse{}, nil
}

func attributes(list []*commonv1.KeyValue) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *commonv1.AnyValue_StringValue:
			m[kv.GetKey()] = v.StringValue
		default:
			m[kv.GetKey()] = kv.GetValue().String()
		}
	}
	return m
}
