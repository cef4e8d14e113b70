package external

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Names of the provider's only application, and of its only program.
const (
	Application = "shop"
	Program     = "sid1"

	redirect      = "https://shop.example/callback"
	programSecret = "verysecret" // as the storage of the library has it
)

// store is the storage of the library's example, with access tokens that are
// JWTs and keys of our own.
type store struct {
	*storage.Storage
	*keys
}

// users are those who can log in, by name; their passwords are random.
type users map[string]*storage.User

// newUsers makes users whose id and name are alike.
func newUsers(names ...string) users {
	u := make(users, len(names))
	for _, name := range names {
		u[name] = &storage.User{ID: name, Username: name, Password: rand.Text()}
	}
	return u
}

// GetUserByID implements storage.UserStore.
func (u users) GetUserByID(id string) *storage.User { return u[id] }

// GetUserByUsername implements storage.UserStore.
func (u users) GetUserByUsername(name string) *storage.User { return u[name] }

// ExampleClientID implements storage.UserStore.
func (users) ExampleClientID() string { return "service" }

func newStore(u users, secret string) (*store, error) {
	s := &store{
		Storage: storage.NewStorageWithClients(u, map[string]*storage.Client{Application: storage.WebClient(Application, secret, redirect)}),
		keys:    &keys{},
	}
	return s, s.rotate()
}

// SigningKey implements op.AuthStorage.
func (s *store) SigningKey(ctx context.Context) (op.SigningKey, error) { return s.keys.SigningKey(ctx) }

// SignatureAlgorithms implements op.AuthStorage.
func (s *store) SignatureAlgorithms(ctx context.Context) ([]jose.SignatureAlgorithm, error) {
	return s.keys.SignatureAlgorithms(ctx)
}

// KeySet implements op.AuthStorage.
func (s *store) KeySet(ctx context.Context) ([]op.Key, error) { return s.keys.KeySet(ctx) }

// client gets access tokens that others than the provider can read.
type client struct{ op.Client }

// AccessTokenType implements op.Client.
func (client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// GetClientByClientID implements op.OPStorage.
func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return client{c}, nil
}

// ClientCredentials implements op.ClientCredentialsStorage.
func (s *store) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	c, err := s.Storage.ClientCredentials(ctx, id, secret)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return client{c}, nil
}

// GetPrivateClaimsFromRequest implements op.CanGetPrivateClaimsFromRequest: what
// the tokens of users say beside what all of them do (RFC 9068 section 2.2).
func (*store) GetPrivateClaimsFromRequest(_ context.Context, request op.TokenRequest, _ []string) (map[string]any, error) {
	claims := map[string]any{"roles": []string{"customer"}}
	if login, ok := request.(interface{ GetAuthTime() time.Time }); ok && !login.GetAuthTime().IsZero() {
		claims["auth_time"] = login.GetAuthTime().Unix()
		claims["sid"] = "session-of-" + request.GetSubject()
	}
	return claims, nil
}
