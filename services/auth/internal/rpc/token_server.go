package rpc

import (
	"context"
	"encoding/base64"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// Introspector says who a token speaks for at this moment, nil for nobody.
type Introspector interface {
	Token(ctx context.Context, raw string) (*identity.Identity, error)
}

// SigningKeys are the keys that verify. The error is signingkey.ErrUnavailable.
type SigningKeys interface {
	All(ctx context.Context) ([]signingkey.Public, error)
}

// TokenServer implements authv1.TokenServiceServer.
type TokenServer struct {
	authv1.UnsafeTokenServiceServer

	Keys         SigningKeys
	Introspector Introspector
}

var _ authv1.TokenServiceServer = (*TokenServer)(nil)

// GetJwks implements authv1.TokenServiceServer.
func (s *TokenServer) GetJwks(ctx context.Context, _ *authv1.GetJwksRequest) (*authv1.Jwks, error) {
	keys, err := s.Keys.All(ctx)
	if err != nil {
		return nil, fail(err)
	}
	out := &authv1.Jwks{}
	for _, k := range keys {
		out.Keys = append(out.Keys, &authv1.Jwk{
			Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k.Key),
			Kid: k.ID, Alg: signingkey.Algorithm, Use: "sig",
		})
	}
	return out, nil
}

// IntrospectToken implements authv1.TokenServiceServer.
func (s *TokenServer) IntrospectToken(ctx context.Context, r *authv1.IntrospectTokenRequest) (*authv1.IntrospectTokenResponse, error) {
	id, err := s.Introspector.Token(ctx, r.GetToken())
	if err != nil {
		return nil, fail(err)
	}
	if id == nil {
		return &authv1.IntrospectTokenResponse{}, nil
	}
	return &authv1.IntrospectTokenResponse{
		Active:    true,
		Principal: id.Principal(),
		SessionId: id.SessionID,
		TokenId:   id.TokenID,
		Epoch:     id.Epoch,
		Roles:     id.Roles,
		ExpiresAt: timestamppb.New(id.ExpiresAt),
	}, nil
}
