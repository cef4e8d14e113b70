package server

import (
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// protocols are what both listeners offer in the handshake (ALPN).
var protocols = []string{"h2", "http/1.1"}

// listenerFiles returns the certificates of the listeners; nil without --tls-cert.
func listenerFiles(rt *Runtime, s *Settings) (*certfile.Files, error) {
	if s.TLSCert == "" {
		return nil, nil //nolint:nilnil // No TLS is a value here.
	}
	files, err := certfile.Open(s.certificates(), rt.Log)
	if err != nil {
		return nil, &lifecycle.UsageError{Err: fmt.Errorf("--tls-cert, --tls-key and --tls-client-ca: %w", err)}
	}
	return files, MeasureCertificates(rt.Telemetry.Meters(), "listener", files)
}

func (s *Settings) certificates() certfile.Paths {
	return certfile.Paths{Cert: s.TLSCert, Key: s.TLSKey, CA: s.TLSClientCA}
}

// memoryConn marks a connection that never leaves the process.
type memoryConn struct{ net.Conn }

// memoryListener marks what it accepts.
type memoryListener struct{ net.Listener }

func (l memoryListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return memoryConn{c}, nil
}

// edgeCredentials is TLS for the network and nothing for the in-memory
// connection of the HTTP edge, which shares the gRPC server and so its chain.
type edgeCredentials struct {
	credentials.TransportCredentials
}

func (c edgeCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if _, ok := conn.(memoryConn); ok {
		return insecure.NewCredentials().ServerHandshake(conn)
	}
	return c.TransportCredentials.ServerHandshake(conn)
}

func (c edgeCredentials) Clone() credentials.TransportCredentials {
	return edgeCredentials{c.TransportCredentials.Clone()}
}
