package external

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// Login does what the browser of a user and the application do together: the
// authorization code flow with PKCE. The tokens have an ID token as the extra
// "id_token".
func (p *Provider) Login(ctx context.Context, name string) (*oauth2.Token, error) {
	user := p.users.GetUserByUsername(name)
	if user == nil {
		return nil, fmt.Errorf("login: no user %q", name)
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	page, err := p.visit(ctx, http.MethodGet, p.app.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), nil)
	if err != nil {
		return nil, err
	}
	back, err := p.visit(ctx, http.MethodPost, page, url.Values{"username": {name}, "password": {user.Password}})
	if err != nil {
		return nil, err
	}
	end, err := p.visit(ctx, http.MethodGet, back, nil)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(end)
	if err != nil || !strings.HasPrefix(end, redirect+"?") || u.Query().Get("state") != state {
		return nil, errors.New("login: the provider does not lead back to the application")
	}
	t, err := p.app.Exchange(p.with(ctx), u.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return t, nil
}

// visit asks for a page and returns where it leads.
func (p *Provider) visit(ctx context.Context, method, page string, form url.Values) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, page, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("login: %w", err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	browser := *p.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := browser.Do(request)
	if err != nil {
		return "", fmt.Errorf("login: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	to, err := response.Location()
	if err != nil {
		return "", fmt.Errorf("login: status %d of %s leads nowhere", response.StatusCode, request.URL.Path)
	}
	return to.String(), nil
}
