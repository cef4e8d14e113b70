package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// HTTP returns a [Fetch] that gets a JWK Set from address, which must be https,
// or http on loopback. client may be nil. Redirects are never followed: the
// address is configuration and not for the answer to choose.
func HTTP(address string, client *http.Client) (Fetch, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("jwk set address: %w", err)
	}
	if !secure(u) {
		return nil, errors.New("jwk set address: neither https nor loopback")
	}
	g := newGetter(client)
	return func(ctx context.Context) ([]byte, error) { return g.set(ctx, u) }, nil
}

// getter gets documents without following redirects.
type getter struct{ client *http.Client }

func newGetter(client *http.Client) getter {
	if client == nil {
		client = http.DefaultClient
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return getter{&direct}
}

func (g getter) set(ctx context.Context, address *url.URL) ([]byte, error) {
	data, err := g.get(ctx, address.String(), "application/jwk-set+json, application/json", maxSetBytes)
	if err != nil {
		return nil, fmt.Errorf("jwk set: %w", err)
	}
	return data, nil
}

// get returns at most limit bytes, and one more if there are more.
func (g getter) get(ctx context.Context, address, accept string, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Accept", accept)
	response, err := g.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, limit+1))
}

// secure tells whether what comes from u comes from its host: https, or http
// on loopback.
func secure(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || (u.Scheme == "http" && loopback(u.Hostname())))
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
