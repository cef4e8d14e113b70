package kafkaconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
)

const (
	// dialLimit bounds one connection, the handshake included.
	dialLimit = 10 * time.Second
	// maxPassword bounds what is read of a password file.
	maxPassword = 4096
)

// password reads the password; a line end after it is not part of it. Errors
// never quote the content.
func (s *Settings) password() (string, error) {
	info, err := os.Stat(s.SASLPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--kafka-sasl-password-file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", fmt.Errorf("--kafka-sasl-password-file %s is open to every user of the machine (mode %04o); set it to 0600 or 0640", s.SASLPasswordFile, mode)
	}
	if info.Size() > maxPassword {
		return "", fmt.Errorf("--kafka-sasl-password-file %s is longer than %d bytes", s.SASLPasswordFile, maxPassword)
	}
	content, err := os.ReadFile(s.SASLPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--kafka-sasl-password-file: %w", err)
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" {
		return "", fmt.Errorf("--kafka-sasl-password-file %s is empty", s.SASLPasswordFile)
	}
	return password, nil
}

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
