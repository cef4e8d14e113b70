package kafkaconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
)

// dialLimit bounds one connection, the handshake included.
const dialLimit = 10 * time.Second

// certificates are the files of TLS.
func (s *Settings) certificates() certfile.Paths {
	return certfile.Paths{Cert: s.TLSCert, Key: s.TLSKey, CA: s.TLSCA}
}

// errUntrusted says in words of the settings why no connection was made.
var errUntrusted = errors.New("the certificate of the Kafka broker is not trusted; see --kafka-tls-ca")

// dialer returns how connections are made with the files as they are then.
func dialer(files *certfile.Files) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialLimit)
		defer cancel()
		conn, err := files.Dial(ctx, network, address)
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return nil, fmt.Errorf("%w: %w", errUntrusted, err)
		}
		return conn, err
	}
}
