package kafkaconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
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

// material reads the certificates; nil without TLS.
func (s *Settings) material() (*tls.Config, error) {
	if !s.secure() {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLSCA != "" {
		content, err := os.ReadFile(s.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("--kafka-tls-ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("--kafka-tls-ca %s holds no certificate", s.TLSCA)
		}
	}
	if s.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("--kafka-tls-cert and --kafka-tls-key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// dialer makes the connections of one client, and of all goroutines of it.
type dialer struct {
	settings Settings
	log      *slog.Logger

	mu        sync.Mutex
	last      *tls.Config // what could be read the last time
	complaint string      // what was logged about the files, "" if they are right
}

// current reads the certificates anew. Files that are being replaced at this
// moment may not fit together: what was read before is used then, which is said
// once for everything that is wrong.
func (d *dialer) current() (*tls.Config, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	cfg, err := d.settings.material()
	switch {
	case err == nil:
		if d.complaint != "" {
			d.log.Info("certificates for kafka can be read again")
		}
		d.last, d.complaint = cfg, ""
	case d.last == nil:
		return nil, err
	case err.Error() != d.complaint:
		d.complaint = err.Error()
		d.log.Warn("certificates for kafka cannot be read, those of before are used", "error", err)
	}
	return d.last.Clone(), nil
}

// errUntrusted says in words of the settings why no connection was made.
var errUntrusted = errors.New("the certificate of the Kafka broker is not trusted; see --kafka-tls-ca")

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	cfg, err := d.current()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	// The name of the certificate is that of the address.
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, network, address)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return nil, fmt.Errorf("%w: %w", errUntrusted, err)
	}
	return conn, err //nolint:wrapcheck // The client says which broker.
}
