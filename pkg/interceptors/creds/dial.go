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

// Target is where to connect.
type Target struct {
	// Address is host:port or any other gRPC target.
	Address string
	// Files are whom TLS trusts, and what it shows, by files that may be replaced:
	// every new connection uses them as they are then. They, or TLS, are required
	// unless the address is loopback or Plaintext is set.
	Files *certfile.Files
	// TLS are settings that do not change, instead of Files.
	TLS *tls.Config
	// Plaintext admits a connection without TLS to a host that is not loopback.
	Plaintext bool
}

// pingInterval is how often an open call that hears nothing pings the server.
const pingInterval = 20 * time.Second

// Enforcement is what a server has to admit for clients of [Dial]: without it
// gRPC's default, one ping in 5 minutes, ends their connections with
// ENHANCE_YOUR_CALM. Half of the interval, because clocks
// and networks differ.
func Enforcement() keepalive.EnforcementPolicy {
	return keepalive.EnforcementPolicy{MinTime: pingInterval / 2}
}

// Dial returns a lazy client connection with keepalive, backoff and retries of
// UNAVAILABLE for methods whose .proto declares them safe to repeat. What is
// repeated is not up to DNS: a service config from there is ignored. Servers
// have to admit the pings: [Enforcement].
//
// The token of r is on every call, and a call waits for it. Calls that need
// none, Login for example, and the ones that get it go over a connection with a
// nil r. Without TLS, r must have been made WithPlaintext.
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
