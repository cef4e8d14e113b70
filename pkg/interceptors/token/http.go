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

// HTTP returns a Fetch that gets a JWK Set from address. The address must be
// https, or http to a loopback host. client is optional; redirects are not
// followed in any case: the address is configuration, not the answer's choice.
func HTTP(address string, client *http.Client) (Fetch, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("jwk set address: %w", err)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("jwk set address: neither https nor loopback")
	}
	if client == nil {
		client = http.DefaultClient
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, fmt.Errorf("jwk set request: %w", err)
		}
		request.Header.Set("Accept", "application/jwk-set+json, application/json")
		response, err := direct.Do(request)
		if err != nil {
			return nil, fmt.Errorf("jwk set: %w", err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("jwk set: status %d", response.StatusCode)
		}
		data, err := io.ReadAll(io.LimitReader(response.Body, maxSetBytes+1))
		if err != nil {
			return nil, fmt.Errorf("jwk set: %w", err)
		}
		return data, nil
	}, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
