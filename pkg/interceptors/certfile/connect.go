package certfile

import (
	"context"
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
)

// minVersion of TLS, on both sides.
const minVersion = tls.VersionTLS12

// Client returns the configuration for one connection to a server, with the
// current files. The caller may change it.
func (f *Files) Client() (*tls.Config, error) {
	m, err := f.current()
	if err != nil {
		return nil, err
	}
	return m.client(), nil
}

func (m *material) client() *tls.Config {
	return &tls.Config{MinVersion: minVersion, RootCAs: m.authorities, Certificates: m.own}
}

// Server returns the configuration for a listener. It reads the files for every
// connection and offers protocols (ALPN). A resumed session is also verified
// against the current authorities.
func (f *Files) Server(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: minVersion, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			m, err := f.current()
			if err != nil {
				return nil, err
			}
			cfg := &tls.Config{MinVersion: minVersion, NextProtos: protocols, Certificates: m.own}
			if m.authorities != nil {
				cfg.ClientCAs, cfg.ClientAuth = m.authorities, tls.RequireAndVerifyClientCert
			}
			return cfg, nil
		},
	}
}

// Dial connects over TLS. The certificate of the server must be for the host in
// address.
func (f *Files) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	cfg, err := f.Client()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{Config: cfg}).DialContext(ctx, network, address)
}

// Credentials returns gRPC credentials, for servers and for clients, that look
// at the files for every connection.
func (f *Files) Credentials() credentials.TransportCredentials {
	return &transport{TransportCredentials: credentials.NewTLS(f.Server("h2")), files: f}
}

// transport is TLS of gRPC's own, made anew for each connection of a client. It
// is how gRPC's credentials for xDS do it; settings that change after they are
// given away would be a race, and verifying by a callback would lose the name
// of a server that is an IP address.
type transport struct {
	credentials.TransportCredentials

	files *Files
}

// ClientHandshake implements credentials.TransportCredentials.
func (t *transport) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	cfg, err := t.files.Client()
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(cfg).ClientHandshake(ctx, authority, conn)
}

// Clone implements credentials.TransportCredentials.
func (t *transport) Clone() credentials.TransportCredentials {
	return &transport{TransportCredentials: t.TransportCredentials.Clone(), files: t.files}
}
