package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/tls/certprovider"
	"google.golang.org/grpc/credentials/tls/certprovider/pemfile"
)

// reloadEvery is how often the certificate files are looked at.
var reloadEvery = 30 * time.Second

// protocols are what both listeners offer in the handshake (ALPN).
var protocols = []string{"h2", "http/1.1"}

// keyMaterialLimit bounds the wait for the first certificate.
const keyMaterialLimit = 5 * time.Second

// listenerTLS returns the TLS configuration of the listeners and a function
// that ends the watching of its files; nil without --tls-cert.
func listenerTLS(s *Settings) (*tls.Config, func(), error) {
	if s.TLSCert == "" {
		return nil, func() {}, nil
	}
	provider, err := pemfile.NewProvider(pemfile.Options{
		CertFile:        s.TLSCert,
		KeyFile:         s.TLSKey,
		RootFile:        s.TLSClientCA,
		RefreshDuration: reloadEvery,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("tls: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyMaterialLimit)
	defer cancel()
	if _, err := provider.KeyMaterial(ctx); err != nil {
		provider.Close()
		return nil, nil, fmt.Errorf("tls: read certificate: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return currentTLS(hello.Context(), provider)
		},
	}, provider.Close, nil
}

func currentTLS(ctx context.Context, provider certprovider.Provider) (*tls.Config, error) {
	km, err := provider.KeyMaterial(ctx)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	cfg := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: km.Certs,
		NextProtos:   protocols,
	}
	if km.Roots != nil {
		cfg.ClientCAs = km.Roots
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
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
