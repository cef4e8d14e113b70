package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/httpserver"
)

const (
	edgeBuffer  = 1 << 20 // bytes between the HTTP edge and the gRPC server
	maxHTTPBody = 4 << 20
	requestID   = "X-Request-Id"
)

// Gateway is a generated Register...Handler function of grpc-gateway.
type Gateway func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error

// newEdge returns the HTTP/JSON edge. It calls the gRPC server through an
// in-memory connection and so through the whole chain; grpc-gateway's
// in-process registration would skip the interceptors and with them
// authentication.
func newEdge(rt *Runtime, api API, srv *grpc.Server) (http.Handler, error) {
	memory := bufconn.Listen(edgeBuffer)
	conn, err := grpc.NewClient("passthrough:///edge",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("http edge: %w", err)
	}
	gateway := runtime.NewServeMux(runtime.WithIncomingHeaderMatcher(passHeader),
		runtime.WithOutgoingHeaderMatcher(answerHeader), runtime.WithErrorHandler(answerError),
		runtime.WithRoutingErrorHandler(answerRouting))
	for _, register := range api.Gateways {
		if err := register(context.Background(), gateway, conn); err != nil {
			return nil, fmt.Errorf("http edge: %w", err)
		}
	}
	if err := addMemoryServing(rt.Group, srv, memory, conn); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", onlyText(gateway))
	// Anybody may ask here: reasons are in the logs and at --health-listen.
	mux.Handle("GET /livez", httpserver.Livez(rt.Group))
	mux.Handle("GET /readyz", httpserver.Readyz(rt.Group))
	if api.Routes != nil {
		api.Routes(mux)
	}
	return limitBody(mux), nil
}

// addMemoryServing lets the gRPC server serve the in-memory listener as well;
// the server's own parts stop it.
func addMemoryServing(g *lifecycle.Group, srv *grpc.Server, memory *bufconn.Listener, conn *grpc.ClientConn) error {
	serve := g.Task("http edge connection", func(context.Context) error {
		_ = srv.Serve(memoryListener{memory}) // returns when the server stops or the listener closes
		return nil
	})
	return g.Add(lifecycle.Part{
		Name:  "http edge connection",
		Phase: lifecycle.Close,
		Start: serve.Start,
		Stop: func(ctx context.Context) error {
			_ = conn.Close()
			_ = memory.Close()
			return serve.Stop(ctx)
		},
	})
}

// passHeader names the headers that become metadata; authorization, and who
// forwarded the call, are passed by the gateway itself. Its default would also
// take Grpc-Metadata-Authorization, which a proxy in front does not know to
// remove.
func passHeader(name string) (string, bool) {
	switch http.CanonicalHeaderKey(name) {
	case requestID, "Traceparent", "Tracestate":
		return strings.ToLower(name), true
	default:
		return "", false
	}
}

// answerHeader names the headers of an answer that came as metadata.
func answerHeader(key string) (string, bool) {
	if key == interceptors.RequestIDKey {
		return requestID, true
	}
	return runtime.MetadataHeaderPrefix + key, true
}
