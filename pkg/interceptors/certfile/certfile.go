// Package certfile is TLS with files that are replaced while the process runs,
// as cert-manager, SPIFFE helpers and Kubernetes Secrets do it: a certificate
// chain, its private key, and the authorities that the peer must chain to.
//
// Servers and clients read the files for every handshake. A new connection
// therefore always uses their current content, and nothing has to watch them.
// Open connections go on; how long is up to who opened them (gRPC:
// MaxConnectionAge). net/http has no such limit: a client stays connected until
// an answer says Connection: close.
//
// Files that cannot be used never replace those that can, because they are
// missing, half written, expired or do not fit together. The last good content
// stays in use and the log says so once. At the start there is no last good
// content, so [Open] fails.
package certfile

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Paths names PEM files. The zero value trusts the authorities of the system
// and shows no certificate.
type Paths struct {
	// Cert is the certificate chain to show, the own certificate first. Key is
	// its private key, in a file that is not readable by everybody. Set both or
	// none.
	Cert, Key string
	// CA holds the only authorities that the peer may chain to. With it a
	// server demands a certificate from its clients. Without it a client trusts
	// the authorities of the system.
	CA string
}

// Check returns the error that [Open] would. It names files and never quotes
// them.
func (p Paths) Check() error {
	_, err := Open(p, nil)
	return err
}

// Validity is the time in which something in the files is valid; zero if there
// is none.
type Validity struct{ From, Until time.Time }

// Files are certificate files in use. Make them with [Open]; safe for
// concurrent use.
type Files struct {
	paths Paths
	log   *slog.Logger

	mu        sync.Mutex
	raw       contents  // that now was made of
	now       *material // what could be used the last time
	complaint string    // what was logged about the files, "" if they are right
}

// material is what files say. It is not changed any more.
type material struct {
	own         []tls.Certificate
	authorities *x509.CertPool // nil: those of the system
	// chain ends with the first certificate of the chain that does, trust with
	// the last authority.
	chain, trust Validity
}

// Open reads the files. It fails if a file is missing, cut off or holds no
// certificate or key; if key and chain do not fit together; if every user of
// the machine may read the key; if the own chain is not valid now; or if none
// of the authorities is. log is told of every change; it may be nil.
func Open(p Paths, log *slog.Logger) (*Files, error) {
	f := New(p, log)
	if _, err := f.current(); err != nil {
		return nil, err
	}
	return f, nil
}

// New is [Open] for files that [Paths.Check] has checked. It reads them when
// they are first needed; until they can be used, handshakes fail.
func New(p Paths, log *slog.Logger) *Files {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Files{paths: p, log: log}
}

// Validity returns when the own chain is valid as a whole, and until when at
// least one authority is.
func (f *Files) Validity() (chain, authorities Validity) {
	m, err := f.current()
	if err != nil {
		return Validity{}, Validity{}
	}
	return m.chain, m.trust
}

// current looks at the files. There is no error once they could be used.
func (f *Files) current() (*material, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	raw, m, err := f.load()
	switch {
	case err == nil && f.now == nil:
		f.raw, f.now = raw, m
	case err == nil:
		if m != f.now {
			f.log.Info("certificate files were replaced", "files", f.paths.String(), "until", m.chain.String(), "authorities_until", m.trust.String())
		} else if f.complaint != "" {
			f.log.Info("certificate files can be used again", "files", f.paths.String())
		}
		f.raw, f.now, f.complaint = raw, m, ""
	case f.now == nil:
		return nil, err
	case err.Error() != f.complaint:
		f.complaint = err.Error()
		f.log.Warn("certificate files cannot be used, those of before are", "error", err)
	}
	return f.now, nil
}

// load reads the files, and takes the material of before if they are as before.
func (f *Files) load() (contents, *material, error) {
	raw, err := f.paths.read()
	if err != nil {
		return contents{}, nil, err
	}
	if f.now != nil && raw.same(f.raw) {
		return raw, f.now, nil
	}
	m, err := raw.parse(f.paths, time.Now())
	return raw, m, err
}

// contents are the bytes of the files.
type contents struct{ cert, key, ca []byte }

func (c contents) same(o contents) bool {
	return bytes.Equal(c.cert, o.cert) && bytes.Equal(c.key, o.key) && bytes.Equal(c.ca, o.ca)
}

// String names the files.
func (p Paths) String() string {
	switch {
	case p.Cert == "":
		return p.CA
	case p.CA == "":
		return p.Cert
	default:
		return fmt.Sprintf("%s, %s", p.Cert, p.CA)
	}
}
