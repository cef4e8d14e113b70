//go:build linux

package kubernetes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// certificateLife is longer than any lab lives.
const certificateLife = 30 * 24 * time.Hour

// authority signs the certificates of a lab.
type authority struct {
	lab  *Lab
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// subject says for whom a certificate is. With names it is a server's, without
// a client's.
type subject struct {
	file, user string
	groups     []string
	names      []string
	addresses  []string
}

// certify makes all keys, certificates and kubeconfigs of a lab.
func (l *Lab) certify() error {
	if err := makeDir(l.pki("")); err != nil {
		return err
	}
	a, err := l.newAuthority()
	if err != nil {
		return fmt.Errorf("make the lab's certificate authority: %w", err)
	}
	subjects := []subject{
		{
			file: "apiserver", user: "kube-apiserver", addresses: []string{"127.0.0.1", "10.96.0.1", l.Address()},
			names: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		},
		{file: "apiserver-kubelet-client", user: "apiserver-kubelet-client", groups: []string{"system:masters"}},
		{file: "admin", user: "admin", groups: []string{"system:masters"}},
	}
	users := []string{"admin"}
	for _, user := range []string{"kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		subjects, users = append(subjects, subject{file: user, user: "system:" + user}), append(users, user)
	}
	for i := range mostNodes {
		n := l.node(i + 1)
		user, groups := "system:node:"+n.name(), []string{"system:nodes"}
		subjects = append(subjects,
			subject{file: n.name(), user: user, groups: groups},
			subject{file: n.name() + "-server", user: user, groups: groups, names: []string{n.name()}, addresses: []string{n.address()}})
		users = append(users, n.name())
	}
	for _, s := range subjects {
		if err := a.issue(s); err != nil {
			return fmt.Errorf("certify %s: %w", s.user, err)
		}
	}
	for _, user := range users {
		if err := os.WriteFile(l.pki(user+".kubeconfig"), l.kubeconfig(user), 0o600); err != nil {
			return fmt.Errorf("write a kubeconfig: %w", err)
		}
	}
	return l.signingKey()
}

func (l *Lab) newAuthority() (*authority, error) {
	a := &authority{lab: l, cert: &x509.Certificate{
		Subject: pkix.Name{CommonName: "curfew-lab"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := a.sign(a.cert, &a.key.PublicKey)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, os.WriteFile(l.pki("ca.crt"), encode("CERTIFICATE", der), 0o600)
}

func (a *authority) issue(s subject) error {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: s.user, Organization: s.groups}, DNSNames: s.names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(s.names) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, address := range s.addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := a.sign(template, &key.PublicKey)
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.lab.pki(s.file+".crt"), encode("CERTIFICATE", der), 0o600); err != nil {
		return err
	}
	return a.lab.writeKey(s.file+".key", key)
}

func (a *authority) sign(template *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(certificateLife)
	return x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
}

// signingKey makes the one that tokens of service accounts are signed with.
func (l *Lab) signingKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the key of service accounts: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return fmt.Errorf("make the key of service accounts: %w", err)
	}
	if err := os.WriteFile(l.pki("sa.pub"), encode("PUBLIC KEY", public), 0o600); err != nil {
		return fmt.Errorf("write the key of service accounts: %w", err)
	}
	return l.writeKey("sa.key", key)
}

func (l *Lab) writeKey(name string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	return os.WriteFile(l.pki(name), encode("PRIVATE KEY", der), 0o600)
}

func (l *Lab) kubeconfig(user string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://%s:6443", certificate-authority: %q}}]
users: [{name: user, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: lab, context: {cluster: lab, user: user}}]
current-context: lab
`, l.Address(), l.pki("ca.crt"), l.pki(user+".crt"), l.pki(user+".key"))
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
