package observability

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// relay is as much of an OpenTelemetry collector as is needed: it takes OTLP/gRPC, gives all of it to the collector of the
// test, and metrics as they are to Prometheus, which speaks OTLP/HTTP.
type relay struct {
	addr string
	stop func()
}

func startRelay(collector, prometheus string) (*relay, error) {
	conn, err := grpc.NewClient(collector, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := grpc.NewServer()
	coltrace.RegisterTraceServiceServer(srv, traces{next: coltrace.NewTraceServiceClient(conn)})
	collogs.RegisterLogsServiceServer(srv, logs{next: collogs.NewLogsServiceClient(conn)})
	colmetrics.RegisterMetricsServiceServer(srv, metrics{next: colmetrics.NewMetricsServiceClient(conn), url: prometheus + "/api/v1/otlp/v1/metrics"})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis) // ends with Stop
	}()
	return &relay{addr: lis.Addr().String(), stop: func() {
		srv.Stop()
		<-served
		_ = conn.Close()
	}}, nil
}

type traces struct {
	coltrace.UnimplementedTraceServiceServer

	next coltrace.TraceServiceClient
}

func (s traces) Export(ctx context.Context, req *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	return s.next.Export(ctx, req)
}

type logs struct {
	collogs.UnimplementedLogsServiceServer

	next collogs.LogsServiceClient
}

func (s logs) Export(ctx context.Context, req *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	return s.next.Export(ctx, req)
}

type metrics struct {
	colmetrics.UnimplementedMetricsServiceServer

	next colmetrics.MetricsServiceClient
	url  string
}

func (s metrics) Export(ctx context.Context, req *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	body, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(post)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		content, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("prometheus: %s: %s", resp.Status, content)
	}
	return s.next.Export(ctx, req)
}
