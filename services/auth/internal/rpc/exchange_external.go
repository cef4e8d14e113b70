package rpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// accessTokenType is what the exchange issues (RFC 8693 section 3).
const accessTokenType = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // the name of a type

// ExchangeExternalToken implements authv1.AuthServiceServer.
func (s *AuthServer) ExchangeExternalToken(ctx context.Context, r *authv1.ExchangeExternalTokenRequest) (*authv1.ExchangeExternalTokenResponse, error) {
	in, err := s.Accounts.ExchangeExternal(ctx, account.Exchange{
		Token: r.GetSubjectToken(), Device: r.GetDevice(), Native: r.GetNative(), Address: clientAddress(ctx, s.Proxies),
	})
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.ExchangeExternalTokenResponse{
		AccessToken:     string(in.Tokens.Access),
		RefreshToken:    string(in.Tokens.Refresh),
		AccessExpiresAt: timestamppb.New(in.Tokens.AccessExpiresAt),
		Session:         sessionName(in.User.ID, in.SessionID),
		User:            userMessage(in.User),
		IssuedTokenType: accessTokenType,
	}, nil
}
