package certfile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

// life is the validity of a certificate, from now.
type life struct{ from, until time.Duration }

var hour = life{-time.Hour, time.Hour}

func newAuthority(t *testing.T, name string, l life) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, l)
	a.pem = encode("CERTIFICATE", a.cert.Raw)
	return a
}

// issue returns a certificate for an address and its key, PEM.
func (a *authority) issue(t *testing.T, ip string, l life) (cert, key string) {
	t.Helper()
	leaf, private := sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: a.cert.Subject.CommonName + " leaf"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a, l)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", leaf.Raw), encode("PRIVATE KEY", encoded)
}

func sign(t *testing.T, template *x509.Certificate, by *authority, l life) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(l.from), time.Now().Add(l.until)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// volume is a folder whose files are replaced all in one instant, as a volume of
// Kubernetes does it: they are links through a link that is renamed.
type volume struct {
	dir  string
	next int
}

func newVolume(t *testing.T, files map[string]string) *volume {
	t.Helper()
	v := &volume{dir: t.TempDir()}
	v.put(t, files)
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(v.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func (v *volume) put(t *testing.T, files map[string]string) {
	t.Helper()
	v.next++
	version := "..version" + string(rune('a'+v.next))
	if err := os.Mkdir(filepath.Join(v.dir, version), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(v.dir, version, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(version, filepath.Join(v.dir, "..tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(v.dir, "..tmp"), filepath.Join(v.dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

func (v *volume) paths() certfile.Paths {
	return certfile.Paths{Cert: filepath.Join(v.dir, "tls.crt"), Key: filepath.Join(v.dir, "tls.key"), CA: filepath.Join(v.dir, "ca.crt")}
}

// secret is what cert-manager writes.
func secret(cert, key, ca string) map[string]string {
	return map[string]string{"tls.crt": cert, "tls.key": key, "ca.crt": ca}
}
