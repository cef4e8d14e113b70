package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/address"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// defaultPage is the page size of a request without one.
const defaultPage = 20

// AccountServer implements authv1.AccountServiceServer.
type AccountServer struct {
	authv1.UnsafeAccountServiceServer

	Accounts *account.Service
	Pages    *pagetoken.Sealer
	Proxies  address.Proxies
}

var _ authv1.AccountServiceServer = (*AccountServer)(nil)

// GetMe implements authv1.AccountServiceServer.
func (s *AccountServer) GetMe(ctx context.Context, _ *authv1.GetMeRequest) (*authv1.User, error) {
	me, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	user, err := s.Accounts.GetUser(ctx, me.UserID)
	if err != nil {
		return nil, fail(err)
	}
	return userMessage(user), nil
}

// ChangePassword implements authv1.AccountServiceServer.
func (s *AccountServer) ChangePassword(ctx context.Context, r *authv1.ChangePasswordRequest) (*authv1.ChangePasswordResponse, error) {
	me, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := s.Accounts.ChangePassword(ctx, me, account.PasswordChange{
		Current: r.GetCurrentPassword(), New: r.GetNewPassword(), Address: clientAddress(ctx, s.Proxies),
	})
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.ChangePasswordResponse{
		AccessToken:     string(changed.Tokens.Access),
		RefreshToken:    string(changed.Tokens.Refresh),
		AccessExpiresAt: timestamppb.New(changed.Tokens.AccessExpiresAt),
		Session:         sessionName(me.UserID, changed.SessionID),
		Revocation:      receiptMessage(changed.Receipt),
	}, nil
}

// position is where the next page of sessions begins.
type position struct {
	After uuid.UUID `json:"after"`
}

// ListSessions implements authv1.AccountServiceServer.
func (s *AccountServer) ListSessions(ctx context.Context, r *authv1.ListSessionsRequest) (*authv1.ListSessionsResponse, error) {
	user, err := parseUser(r.GetParent())
	if err != nil {
		return nil, fail(err)
	}
	list := []string{"ListSessions", r.GetParent()}
	var from position
	if _, err := s.Pages.Open(r.GetPageToken(), &from, list...); err != nil {
		return nil, fail(err)
	}
	limit := int(r.GetPageSize())
	if limit == 0 {
		limit = defaultPage
	}
	page, more, err := s.Accounts.ListSessions(ctx, user, from.After, limit)
	if err != nil {
		return nil, fail(err)
	}
	out := &authv1.ListSessionsResponse{Sessions: make([]*authv1.Session, len(page))}
	current := callerSessionID(ctx)
	for i, session := range page {
		out.Sessions[i] = sessionMessage(session, current)
	}
	if more {
		out.NextPageToken, err = s.Pages.Seal(position{After: page[len(page)-1].ID}, list...)
	}
	return out, err
}

// RevokeSession implements authv1.AccountServiceServer.
func (s *AccountServer) RevokeSession(ctx context.Context, r *authv1.RevokeSessionRequest) (*authv1.RevokeSessionResponse, error) {
	user, session, err := parseSession(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	ended, receipt, err := s.Accounts.RevokeSession(ctx, user, session)
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RevokeSessionResponse{
		Session:    sessionMessage(ended, callerSessionID(ctx)),
		Revocation: receiptMessage(receipt),
	}, nil
}
