package creds

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
)

// errPlaintext refuses a connection whose tokens anybody on the way can read.
var errPlaintext = errors.New("plaintext is for loopback only: set Files or TLS, or Plaintext on purpose")

var errTwice = errors.New("set Files or TLS, not both")

// Target is a server and how to reach it.
type Target struct {
	// Address is host:port or any other gRPC target.
	Address string
	// Files are the certificates for TLS. They may be replaced while the
	// process runs; every new connection uses the current ones. Files or TLS is
	// required unless the address is loopback or Plaintext is set.
	Files *certfile.Files
	// TLS is a fixed configuration, instead of Files.
	TLS *tls.Config
	// Plaintext allows a connection without TLS to a host that is not loopback.
	Plaintext bool
}

// pingInterval is how often an open call that hears nothing pings the server.
const pingInterval = 20 * time.Second

// Enforcement is the keepalive policy that servers need for clients of [Dial].
// With gRPC's default, one ping in 5 minutes, they would end such connections
// with ENHANCE_YOUR_CALM. It admits twice as many pings as clients send,
// because clocks and networks differ.
func Enforcement() keepalive.EnforcementPolicy {
	return keepalive.EnforcementPolicy{MinTime: pingInterval / 2}
}

// Dial returns a client connection with keepalive and backoff. It repeats calls
// that end as UNAVAILABLE, but only for methods that the .proto declares safe
// to repeat (idempotency_level). A service config from DNS is ignored. Dial
// connects when the first call needs it. Servers must admit the pings: see
// [Enforcement].
//
// Every call carries the token of r and waits until there is one. With a nil r
// calls carry none: use such a connection for calls that need no token, Login
// for example, and for those by which r gets its tokens. Without TLS, r must be
// made with [WithPlaintext].
func Dial(t Target, r *Refreshing, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	switch {
	case t.Files != nil && t.TLS != nil:
		return nil, fmt.Errorf("dial %s: %w", t.Address, errTwice)
	case t.Files != nil:
		transport = t.Files.Credentials()
	case t.TLS != nil:
		transport = credentials.NewTLS(t.TLS.Clone())
	case !t.Plaintext && !loopback(t.Address):
		return nil, fmt.Errorf("dial %s: %w", t.Address, errPlaintext)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig()),
		grpc.WithDisableServiceConfig(),
		// Only with a call open; a dead peer is noticed within 30 s.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if r != nil {
		options = append(options, r.DialOptions()...)
	}
	conn, err := grpc.NewClient(t.Address, append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", t.Address, err)
	}
	return conn, nil
}

// loopback tells whether a target stays on this machine. Schemes other than
// passthrough and dns are taken as remote, except unix sockets.
func loopback(target string) bool {
	if strings.HasPrefix(target, "unix:") {
		return true
	}
	for _, scheme := range []string{"passthrough:///", "dns:///"} {
		target = strings.TrimPrefix(target, scheme)
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
