package certfile

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxFile bounds what is read of a file, in bytes: the authorities of a whole
// system are 250 kB.
const maxFile = 1 << 20

var errPair = errors.New("a certificate and its private key go together")

// read reads the files that are named.
func (p Paths) read() (c contents, err error) {
	if (p.Cert == "") != (p.Key == "") {
		return c, errPair
	}
	if p.Cert != "" {
		if c.cert, err = read(p.Cert, false); err != nil {
			return c, fmt.Errorf("certificate: %w", err)
		}
		if c.key, err = read(p.Key, true); err != nil {
			return c, fmt.Errorf("private key: %w", err)
		}
	}
	if p.CA != "" {
		if c.ca, err = read(p.CA, false); err != nil {
			return c, fmt.Errorf("certificate authorities: %w", err)
		}
	}
	return c, nil
}

func read(path string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if secret {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if mode := info.Mode().Perm(); mode&0o007 != 0 {
			return nil, fmt.Errorf("%s is open to every user of the machine (mode %04o); set it to 0600 or 0640", path, mode)
		}
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxFile)
	}
	return content, nil
}

// parse says what the contents mean at a time.
func (c contents) parse(p Paths, now time.Time) (*material, error) {
	m := &material{}
	if p.Cert != "" {
		chain, err := certificates(c.cert)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", p.Cert, err)
		}
		pair, err := tls.X509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with private key %s: %w", p.Cert, p.Key, err)
		}
		m.own, m.chain = []tls.Certificate{pair}, Validity{chain[0].NotBefore, chain[0].NotAfter}
		for _, cert := range chain[1:] {
			m.chain.From, m.chain.Until = latest(m.chain.From, cert.NotBefore), earliest(m.chain.Until, cert.NotAfter)
		}
		if err := m.chain.at(now); err != nil {
			return nil, fmt.Errorf("certificate %s: %w", p.Cert, err)
		}
	}
	if p.CA != "" {
		authorities, err := certificates(c.ca)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities %s: %w", p.CA, err)
		}
		m.authorities, m.trust = x509.NewCertPool(), Validity{authorities[0].NotBefore, authorities[0].NotAfter}
		for _, ca := range authorities {
			m.authorities.AddCert(ca)
			m.trust.From, m.trust.Until = earliest(m.trust.From, ca.NotBefore), latest(m.trust.Until, ca.NotAfter)
		}
		if err := m.trust.at(now); err != nil {
			return nil, fmt.Errorf("certificate authorities %s: %w", p.CA, err)
		}
	}
	return m, nil
}

// certificates reads all of a file. [pem.Decode] and
// [x509.CertPool.AppendCertsFromPEM] pass over what they cannot read: of a file
// that is being written they would take the half that is there.
func certificates(content []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	blocks := bytes.Count(content, []byte("-----BEGIN"))
	for rest := content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks--
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	switch {
	case blocks > 0:
		return nil, errors.New("a PEM block is cut off or broken")
	case len(certs) == 0:
		return nil, errors.New("holds no certificate")
	}
	return certs, nil
}

// at returns what is wrong with using it at a time.
func (v Validity) at(now time.Time) error {
	switch {
	case now.Before(v.From):
		return fmt.Errorf("not valid before %s", v.From.UTC().Format(time.RFC3339))
	case now.After(v.Until):
		return fmt.Errorf("not valid after %s", v.Until.UTC().Format(time.RFC3339))
	default:
		return nil
	}
}

// String is the end, for the log.
func (v Validity) String() string {
	if v.Until.IsZero() {
		return ""
	}
	return v.Until.UTC().Format(time.RFC3339)
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
