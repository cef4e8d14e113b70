// Package jwks is where the keys of an issuer that is not us come from: an
// address, a file, or what the issuer says of itself.
package jwks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Source is one of URL, File and Discover.
type Source struct {
	// URL of the JWK Set, https (http on loopback).
	URL string
	// File is a JWK Set that somebody else keeps up to date.
	File string
	// Discover is the issuer whose discovery document names the URL, each time.
	Discover string

	// CAFile is what the servers must chain to (PEM); empty is what the system
	// trusts.
	CAFile string
	// TokenFile holds a bearer token for URL, read for every fetch; empty sends
	// none.
	TokenFile string
	// Outside says that the way to the keys is a way out: the proxy that the
	// environment names (HTTPS_PROXY, NO_PROXY) is used. It sees the names of
	// the hosts and no more, since TLS ends at the issuer.
	Outside bool
	// Fresh is that of token.RemoteOptions.
	Fresh bool
}

// fileRefresh is how soon a replaced file is noticed. An unknown key id makes
// the file be read at once.
const fileRefresh = time.Minute

// maxSetBytes is more than a verifier reads of a set.
const maxSetBytes = 256 << 10

// Open returns the keys; close them. Nothing is fetched before the first token.
func (s Source) Open(log *slog.Logger) (*token.Remote, error) {
	fetch, err := s.fetch(log)
	if err != nil {
		return nil, err
	}
	options := token.RemoteOptions{Fresh: s.Fresh}
	if s.File != "" {
		options.Refresh = fileRefresh
	}
	return token.NewRemote(fetch, log, options)
}

func (s Source) fetch(log *slog.Logger) (token.Fetch, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.File != "" {
		return func(context.Context) ([]byte, error) { return read(s.File, maxSetBytes) }, nil
	}
	client, err := s.client(log)
	if err != nil {
		return nil, err
	}
	if s.Discover != "" {
		return token.Discover(s.Discover, client)
	}
	return token.HTTP(s.URL, client)
}

func (s Source) check() error {
	given := 0
	for _, from := range []string{s.URL, s.File, s.Discover} {
		if from != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("one of URL, file and discovery is required")
	case s.File != "" && s.CAFile != "":
		return errors.New("certificate authorities are for keys that are fetched")
	case s.URL == "" && s.TokenFile != "":
		// Discovery lets the other side say where the token is sent.
		return errors.New("a bearer token goes with a URL")
	}
	return nil
}

// client trusts and authenticates as configured. A CAFile may be replaced.
func (s Source) client(log *slog.Logger) (*http.Client, error) {
	files, err := certfile.Open(certfile.Paths{CA: s.CAFile}, log)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: bearer{file: s.TokenFile, next: files.HTTP(s.transport())}}, nil
}

// transport is the way to the keys.
func (s Source) transport() *http.Transport {
	plain := &http.Transport{ForceAttemptHTTP2: true, IdleConnTimeout: 30 * time.Second, MaxIdleConns: 1, MaxResponseHeaderBytes: 64 << 10}
	if s.Outside {
		plain.Proxy = http.ProxyFromEnvironment
	}
	return plain
}

// String says where the keys come from, on one line.
func (s Source) String() string {
	switch {
	case s.File != "":
		return s.File
	case s.URL != "":
		return s.URL
	default:
		return fmt.Sprintf("discovery of %s", s.Discover)
	}
}
