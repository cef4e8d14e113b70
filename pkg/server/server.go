package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
	"github.com/curfew-platform/curfew/pkg/lifecycle/httpserver"
	"github.com/curfew-platform/curfew/pkg/server/otlp"
)

// Limits of a listener.
const (
	maxHeaders      = 16 << 10 // bytes, of the HTTP edge
	readHeaderLimit = 5 * time.Second
	readBodyLimit   = 30 * time.Second
	idleLimit       = 2 * time.Minute
)

// API is what a service serves.
type API struct {
	// Settings of the listeners.
	Settings *Settings
	// Chain that every call passes, on the network and at the HTTP edge.
	Chain *interceptors.Chain
	// Register adds the gRPC services.
	Register func(grpc.ServiceRegistrar)
	// Gateways are generated Register...Handler functions of the HTTP/JSON edge.
	Gateways []Gateway
	// Routes adds further HTTP routes to the edge; nil for none.
	Routes func(mux *http.ServeMux)
}

// Add opens the listeners, builds the server and adds both to the group of the
// runtime. A method without a rule, a chain that is wrong, plaintext where it
// is not allowed: an error, and nothing serves. Health, on gRPC and on HTTP, is
// what the parts of the group say of theirs.
func Add(rt *Runtime, api API) error {
	if api.Chain == nil || api.Register == nil {
		return errors.New("server: an API needs a chain and services")
	}
	files, err := listenerFiles(rt, api.Settings)
	if err != nil {
		return err
	}
	var tlsConfig *tls.Config
	if files != nil {
		tlsConfig = files.Server(protocols...)
	}
	tracker := grpcserver.NewTracker()
	srv := newGRPCServer(api, tlsConfig, tracker, rt.Telemetry, rt.Group.Plan())
	if err := api.Chain.Check(srv); err != nil {
		return err
	}
	listener, err := listen("--listen", api.Settings.Listen)
	if err != nil {
		return err
	}
	status := health.NewServer()
	healthv1.RegisterHealthServer(srv, status)
	if api.Settings.Reflection {
		reflection.Register(srv)
	}
	if err := grpcserver.Add(rt.Group, "grpc", srv, listener, status, grpcserver.WithTracker(tracker)); err != nil {
		return err
	}
	bound := addresses{GRPC: listener.Addr().String()}
	if api.Settings.HealthListen != "" {
		healthListener, err := listen("--health-listen", api.Settings.HealthListen)
		if err != nil {
			return err
		}
		bound.Health = healthListener.Addr().String()
		if err := httpserver.AddHealth(rt.Group, "health", healthListener, httpserver.WithReasons()); err != nil {
			return err
		}
	}
	if api.Settings.HTTPListen != "" {
		httpListener, err := listen("--http-listen", api.Settings.HTTPListen)
		if err != nil {
			return err
		}
		bound.HTTP = httpListener.Addr().String()
		if err := addEdge(rt, api, srv, httpListener, tlsConfig); err != nil {
			return err
		}
	}
	rt.Log.Info("listening", "grpc", bound.GRPC, "http", bound.HTTP)
	if api.Settings.AddrFile == "" {
		return nil
	}
	return rt.Group.Add(announce(api.Settings.AddrFile, bound))
}

func newGRPCServer(api API, tlsConfig *tls.Config, tracker *grpcserver.Tracker, telemetry *otlp.Telemetry, plan lifecycle.Plan) *grpc.Server {
	transport := insecure.NewCredentials()
	if tlsConfig != nil {
		transport = credentials.NewTLS(tlsConfig)
	}
	pings := creds.Enforcement()
	pings.PermitWithoutStream = true // clients of others
	options := []grpc.ServerOption{
		grpc.Creds(edgeCredentials{transport}),
		grpc.KeepaliveParams(grpcserver.ConnectionAge(plan)),
		grpc.KeepaliveEnforcementPolicy(pings),
	}
	options = append(options, telemetry.ServerOptions()...)
	options = append(options, tracker.ServerOptions()...)
	options = append(options, api.Chain.ServerOptions()...)
	srv := grpc.NewServer(options...)
	api.Register(srv)
	return srv
}

func listen(flag, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

func addEdge(rt *Runtime, api API, srv *grpc.Server, l net.Listener, tlsConfig *tls.Config) error {
	handler, err := newEdge(rt, api, srv)
	if err != nil {
		return err
	}
	httpServer := newEdgeServer(handler, grpcserver.ConnectionAge(rt.Group.Plan()).MaxConnectionAge)
	if tlsConfig != nil {
		// net/http speaks HTTP/2 only where its own configuration names it.
		httpServer.TLSConfig = tlsConfig.Clone()
		l = tls.NewListener(l, httpServer.TLSConfig)
	}
	return httpserver.Add(rt.Group, "http", httpServer, l)
}
