package introspection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 64 << 10

// HTTP returns an [Ask] for an introspection endpoint (RFC 7662 section 2),
// which must be https, or http on loopback. Redirects are not followed, because
// the token must only go where the configuration says. authorize adds the
// credentials of this service to the request, which section 2.1 requires.
// client may be nil.
func HTTP(endpoint string, client *http.Client, authorize func(*http.Request) error) (Ask, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("introspection endpoint: %w", err)
	}
	if u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("introspection endpoint: neither https nor loopback")
	}
	if authorize == nil {
		return nil, errors.New("introspection endpoint: nothing proves who asks")
	}
	if client == nil {
		client = http.DefaultClient
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context, raw token.Raw) (bool, error) {
		form := url.Values{"token": {string(raw)}, "token_type_hint": {"access_token"}}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
		if err != nil {
			return false, fmt.Errorf("introspect: %w", err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Accept", "application/json")
		if err := authorize(request); err != nil {
			return false, fmt.Errorf("introspect: %w", err)
		}
		response, err := direct.Do(request)
		if err != nil {
			return false, fmt.Errorf("introspect: %w", err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return false, fmt.Errorf("introspect: status %d", response.StatusCode)
		}
		return active(io.LimitReader(response.Body, maxAnswerBytes))
	}, nil
}

// active reads `active`, which is required.
func active(body io.Reader) (bool, error) {
	// Not a struct: its names would be matched without case.
	var members map[string]json.RawMessage
	if err := json.NewDecoder(body).Decode(&members); err != nil {
		return false, errors.New("introspect: the answer is no JSON object")
	}
	switch string(members["active"]) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, errors.New("introspect: the answer does not say whether the token is active")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
