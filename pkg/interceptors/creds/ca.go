package creds

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TrustCA returns settings, for TLS 1.2 or later, that trust the certificate
// authorities of a PEM file and no others. Without a file it returns nil, which
// is plaintext: [Dial] decides whether that is allowed.
func TrustCA(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // No TLS is a value here.
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificate authorities in %s: %w", file, errNoCertificate)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

var errNoCertificate = errors.New("no certificate")
