package stand

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// Auth is a connection to services/auth.
type Auth struct {
	conn *grpc.ClientConn

	Auth    authv1.AuthServiceClient
	Account authv1.AccountServiceClient
	Users   authv1.UserAdminServiceClient
}

// DialAuth connects to services/auth.
func (s *Stand) DialAuth() (*Auth, error) {
	conn, err := Dial(s.Auth)
	if err != nil {
		return nil, err
	}
	return &Auth{
		conn:    conn,
		Auth:    authv1.NewAuthServiceClient(conn),
		Account: authv1.NewAccountServiceClient(conn),
		Users:   authv1.NewUserAdminServiceClient(conn),
	}, nil
}

// Close ends the connection.
func (a *Auth) Close() { _ = a.conn.Close() }

// User is somebody who registered.
type User struct {
	Name     string // users/{id}
	Email    string
	Password string
}

// Register makes a customer with a random address and password. If the service
// says that this address registers too fast, it waits as long as it is told.
func (a *Auth) Register(ctx context.Context) (User, error) {
	u := User{Email: "u-" + rand.Text() + "@example.com", Password: "correct horse " + rand.Text()}
	for {
		r, err := a.Auth.Register(ctx, &authv1.RegisterRequest{Email: u.Email, Password: u.Password})
		if err == nil {
			u.Name = r.GetUser().GetName()
			return u, nil
		}
		delay := retryDelay(err)
		if status.Code(err) != codes.ResourceExhausted || delay <= 0 {
			return User{}, fmt.Errorf("register: %w", err)
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return User{}, fmt.Errorf("register: %w", context.Cause(ctx))
		}
	}
}

// retryDelay returns google.rpc.RetryInfo.retry_delay of an error, or zero.
func retryDelay(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// Login opens a session.
func (a *Auth) Login(ctx context.Context, u User) (*authv1.LoginResponse, error) {
	r, err := a.Auth.Login(ctx, &authv1.LoginRequest{Email: u.Email, Password: u.Password})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return r, nil
}

// Bearer returns a context whose calls carry the access token.
func Bearer(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// Reason returns google.rpc.ErrorInfo.reason of an error, or the empty string.
func Reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}
