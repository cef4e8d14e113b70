package main

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// certificates is where Go looks for certificate authorities.
const certificates = "/etc/ssl/certs/ca-certificates.crt"

// ground is what every image has below its programs: the certificate
// authorities that Mozilla trusts, for a collector or brokers with public
// certificates; the name of the account; and a place for temporary files,
// which a read-only root makes useful only with a volume on it.
func ground() ([]file, error) {
	var roots bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // Trusted under a condition that a file of certificates cannot tell.
		}
		if err := pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	account := "nonroot:x:" + user + ":" + user + ":nonroot:/:/sbin/nologin\n"
	return []file{
		{path: "/etc/", mode: 0o755},
		{path: "/etc/group", mode: 0o644, content: []byte("nonroot:x:" + user + ":\n")},
		{path: "/etc/passwd", mode: 0o644, content: []byte("root:x:0:0:root:/:/sbin/nologin\n" + account)},
		{path: "/etc/ssl/", mode: 0o755},
		{path: "/etc/ssl/certs/", mode: 0o755},
		{path: certificates, mode: 0o644, content: roots.Bytes()},
		{path: "/tmp/", mode: 0o1777},
	}, nil
}
