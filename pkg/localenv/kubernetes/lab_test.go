//go:build linux

package kubernetes

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
)

func certificate(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		t.Fatalf("%s is no PEM", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func lab(t *testing.T) *Lab {
	t.Helper()
	l, err := Open(t.TempDir(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCertificatesAreSignedByTheLabForTheRightUseAndNames(t *testing.T) {
	l := lab(t)
	if err := l.certify(); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, l.pki("ca.crt")))
	for _, c := range []struct {
		file, name, group string
		use               x509.ExtKeyUsage
	}{
		{"apiserver", "kubernetes.default.svc", "", x509.ExtKeyUsageServerAuth},
		{"apiserver", "10.96.0.1", "", x509.ExtKeyUsageServerAuth},
		{"apiserver", "10.200.0.1", "", x509.ExtKeyUsageServerAuth},
		{"node-2-server", "10.200.0.2", "system:nodes", x509.ExtKeyUsageServerAuth},
		{"node-2", "", "system:nodes", x509.ExtKeyUsageClientAuth},
		{"admin", "", "system:masters", x509.ExtKeyUsageClientAuth},
	} {
		cert := certificate(t, l.pki(c.file+".crt"))
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: c.name, KeyUsages: []x509.ExtKeyUsage{c.use}}); err != nil {
			t.Errorf("%s for %q: %v", c.file, c.name, err)
		}
		if got := strings.Join(cert.Subject.Organization, " "); got != c.group {
			t.Errorf("%s is in %q, want %q", c.file, got, c.group)
		}
		info, err := os.Stat(l.pki(c.file + ".key"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("key of %s: %v, %v", c.file, info, err)
		}
	}
}

func TestALabThatIsDownSaysSoAndGoesDownAgain(t *testing.T) {
	l := lab(t)
	if nodes := l.Nodes(); len(nodes) > 0 {
		t.Errorf("nodes %v", nodes)
	}
	for what, err := range map[string]error{
		"exec": l.Exec(1, []string{"true"}), "kill": l.Kill(t.Context(), 1), "load": l.Load(t.Context(), "image.tar"),
	} {
		if !errors.Is(err, ErrDown) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTheNumberOfNodesIsBounded(t *testing.T) {
	for _, nodes := range []int{0, mostNodes + 1} {
		if err := lab(t).Up(t.Context(), nodes); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("%d nodes: %v", nodes, err)
		}
	}
}

func TestTheFirstProcessOfANodeRefusesToBeAnythingElse(t *testing.T) {
	if err := Init([]string{t.TempDir(), "1", t.TempDir()}); err == nil {
		t.Error("it ran as an ordinary process")
	}
}
