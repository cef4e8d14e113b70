package external

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"

	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Provider is a provider that runs. It is safe for concurrent use.
type Provider struct {
	// Issuer is `iss` of its tokens, and where it is found.
	Issuer string

	server *httptest.Server
	store  *store
	users  users
	app    oauth2.Config
}

// Start starts a provider with these users. Stop it.
func Start(names ...string) (*Provider, error) {
	p := &Provider{users: newUsers(names...)}
	secret := rand.Text()
	var err error
	if p.store, err = newStore(p.users, secret); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/username", p.authenticate)
	p.server = httptest.NewUnstartedServer(mux)
	p.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.server.StartTLS()
	p.Issuer = p.server.URL
	config := &op.Config{CryptoKey: [32]byte([]byte(rand.Text() + rand.Text())[:32]), CodeMethodS256: true, GrantTypeRefreshToken: true}
	provider, err := op.NewProvider(config, p.store, op.StaticIssuer(p.Issuer), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		p.server.Close()
		return nil, fmt.Errorf("openid provider: %w", err)
	}
	mux.Handle("/", provider)
	p.app = oauth2.Config{
		ClientID: Application, ClientSecret: secret, RedirectURL: redirect, Scopes: []string{"openid", "offline_access"},
		Endpoint: oauth2.Endpoint{AuthURL: p.Issuer + "/authorize", TokenURL: p.Issuer + "/oauth/token"},
	}
	return p, nil
}

// Stop ends the provider: from then on nobody is there. It may be called twice.
func (p *Provider) Stop() { p.server.Close() }

// Client trusts the provider's certificate.
func (p *Provider) Client() *http.Client { return p.server.Client() }

// WriteCA writes the certificate that the provider must be trusted by.
func (p *Provider) WriteCA(path string) error {
	block := &pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return fmt.Errorf("certificate of the provider: %w", err)
	}
	return nil
}

// Rotate makes a key, which signs from now on. The ones before are shown until
// Withdraw.
func (p *Provider) Rotate() error { return p.store.rotate() }

// Withdraw shows only the key that signs.
func (p *Provider) Withdraw() { p.store.withdraw() }

// authenticate is the login page: it sends the user back to the protocol.
func (p *Provider) authenticate(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("authRequestID")
	if err := p.store.CheckUsernamePassword(r.FormValue("username"), r.FormValue("password"), id); err != nil {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, p.Issuer+"/authorize/callback?id="+url.QueryEscape(id), http.StatusFound)
}

// with returns a context whose calls of package oauth2 trust the provider.
func (p *Provider) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, p.Client())
}

// Refresh gets the next tokens of a login.
func (p *Provider) Refresh(ctx context.Context, t *oauth2.Token) (*oauth2.Token, error) {
	next, err := p.app.TokenSource(p.with(ctx), &oauth2.Token{RefreshToken: t.RefreshToken}).Token()
	if err != nil {
		return nil, fmt.Errorf("refresh at the provider: %w", err)
	}
	return next, nil
}

// RunProgram gets a token of the program, which is nobody's login.
func (p *Provider) RunProgram(ctx context.Context) (*oauth2.Token, error) {
	config := clientcredentials.Config{ClientID: Program, ClientSecret: programSecret, TokenURL: p.app.Endpoint.TokenURL}
	t, err := config.Token(p.with(ctx))
	if err != nil {
		return nil, fmt.Errorf("token of the program: %w", err)
	}
	return t, nil
}
