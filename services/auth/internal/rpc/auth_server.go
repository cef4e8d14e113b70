package rpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/address"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// ServiceTokens turns the assertion of a service into a token.
type ServiceTokens interface {
	Issue(ctx context.Context, assertion string) (token string, expires time.Time, err error)
}

// Gate says whether calls that may have waited in buffers can be served.
type Gate interface{ Open() bool }

// AuthServer implements authv1.AuthServiceServer.
type AuthServer struct {
	authv1.UnsafeAuthServiceServer

	Accounts *account.Service
	Services ServiceTokens
	Gate     Gate // of refreshes
	Proxies  address.Proxies
}

var _ authv1.AuthServiceServer = (*AuthServer)(nil)

// Register implements authv1.AuthServiceServer.
func (s *AuthServer) Register(ctx context.Context, r *authv1.RegisterRequest) (*authv1.RegisterResponse, error) {
	user, err := s.Accounts.Register(ctx, account.Registration{
		Email: r.GetEmail(), Password: r.GetPassword(), Address: clientAddress(ctx, s.Proxies),
	})
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RegisterResponse{User: userMessage(user)}, nil
}

// Login implements authv1.AuthServiceServer.
func (s *AuthServer) Login(ctx context.Context, r *authv1.LoginRequest) (*authv1.LoginResponse, error) {
	in, err := s.Accounts.Login(ctx, account.Login{
		Email: r.GetEmail(), Password: r.GetPassword(), Device: r.GetDevice(), Native: r.GetNative(), Address: clientAddress(ctx, s.Proxies),
	})
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.LoginResponse{
		AccessToken:     string(in.Tokens.Access),
		RefreshToken:    string(in.Tokens.Refresh),
		AccessExpiresAt: timestamppb.New(in.Tokens.AccessExpiresAt),
		Session:         sessionName(in.User.ID, in.SessionID),
		User:            userMessage(in.User),
	}, nil
}

// RefreshTokens implements authv1.AuthServiceServer.
func (s *AuthServer) RefreshTokens(ctx context.Context, r *authv1.RefreshTokensRequest) (*authv1.RefreshTokensResponse, error) {
	if !s.Gate.Open() {
		return nil, fail(errStalled)
	}
	tokens, err := s.Accounts.Refresh(ctx, r.GetRefreshToken(), r.GetRetryKey())
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RefreshTokensResponse{
		AccessToken:     string(tokens.Access),
		RefreshToken:    string(tokens.Refresh),
		AccessExpiresAt: timestamppb.New(tokens.AccessExpiresAt),
	}, nil
}

// Logout implements authv1.AuthServiceServer.
func (s *AuthServer) Logout(ctx context.Context, _ *authv1.LogoutRequest) (*authv1.LogoutResponse, error) {
	session, err := callerSession(ctx)
	if err != nil {
		return nil, err
	}
	receipt, err := s.Accounts.Logout(ctx, session)
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.LogoutResponse{Revocation: receiptMessage(receipt)}, nil
}

// IssueServiceToken implements authv1.AuthServiceServer.
func (s *AuthServer) IssueServiceToken(ctx context.Context, r *authv1.IssueServiceTokenRequest) (*authv1.IssueServiceTokenResponse, error) {
	token, expires, err := s.Services.Issue(ctx, r.GetAssertion())
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.IssueServiceTokenResponse{AccessToken: token, AccessExpiresAt: timestamppb.New(expires)}, nil
}
