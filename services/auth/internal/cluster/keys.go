package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// KeySource is where the cluster publishes its keys: a URL or a file.
type KeySource struct {
	// URL of the JWK Set, https (http on loopback): /openid/v1/jwks of the API
	// server, or what its discovery document names.
	URL string
	// CAFile is what the server of URL must chain to (PEM); empty is what the
	// system trusts.
	CAFile string
	// TokenFile holds a bearer token for URL, read for every fetch; empty sends
	// none. Clusters answer service accounts by default, and nobody else.
	TokenFile string
	// File is a JWK Set that somebody else keeps up to date, instead of URL.
	File string
}

// fileRefresh is how soon a replaced file is noticed. An unknown key id makes
// the file be read at once.
const fileRefresh = time.Minute

// refresh is zero for the default.
func (k KeySource) refresh() time.Duration {
	if k.File != "" {
		return fileRefresh
	}
	return 0
}

// Limits of what is read from files.
const (
	maxSetBytes   = 256 << 10
	maxTokenBytes = 16 << 10
)

func (k KeySource) fetch() (token.Fetch, error) {
	switch {
	case (k.URL == "") == (k.File == ""):
		return nil, errors.New("keys of the cluster: one of URL and file is required")
	case k.File != "":
		return func(context.Context) ([]byte, error) { return read(k.File, maxSetBytes) }, nil
	}
	client, err := k.client()
	if err != nil {
		return nil, err
	}
	fetch, err := token.HTTP(k.URL, client)
	if err != nil {
		return nil, fmt.Errorf("keys of the cluster: %w", err)
	}
	return fetch, nil
}

// client trusts and authenticates as configured. It uses no proxy: the way to
// the cluster's own API server is not the way out of it.
func (k KeySource) client() (*http.Client, error) {
	tls, err := creds.TrustCA(k.CAFile)
	if err != nil {
		return nil, fmt.Errorf("keys of the cluster: %w", err)
	}
	plain := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true, IdleConnTimeout: 30 * time.Second, MaxIdleConns: 1}
	return &http.Client{Transport: bearer{file: k.TokenFile, next: plain}}, nil
}

// bearer puts the token of a file on every request.
type bearer struct {
	file string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.file == "" {
		return b.next.RoundTrip(r)
	}
	content, err := read(b.file, maxTokenBytes)
	if err != nil {
		return nil, err
	}
	value := string(bytes.TrimSpace(content))
	if value == "" || strings.ContainsAny(value, " \t\r\n") {
		return nil, errors.New("token for the keys of the cluster: the file does not hold one token")
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+value)
	return b.next.RoundTrip(r)
}

// read reads a file of at most limit bytes.
func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return content, nil
}
