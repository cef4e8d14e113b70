package creds

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// sentKey finds the note in which GetRequestMetadata writes what a call sent:
// only that token may be rejected, the current one may be newer.
type sentKey struct{}

type sent struct {
	mu    sync.Mutex
	value token.Raw
}

func note(ctx context.Context, value token.Raw) {
	if s, ok := ctx.Value(sentKey{}).(*sent); ok {
		s.mu.Lock()
		s.value = value
		s.mu.Unlock()
	}
}

func (s *sent) get() token.Raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

// DialOptions returns what a client connection needs: the token on every call,
// and one renewal and one retry if the server answers TOKEN_EXPIRED or
// TOKEN_REVOKED. Streams are not repeated, because messages may have been
// exchanged: the next stream gets a new token.
func (r *Refreshing) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithPerRPCCredentials(r),
		grpc.WithChainUnaryInterceptor(r.unary),
		grpc.WithChainStreamInterceptor(r.stream),
	}
}

func (r *Refreshing) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	s := &sent{}
	ctx = context.WithValue(ctx, sentKey{}, s)
	err := invoke(ctx, method, req, reply, cc, opts...)
	if !renewable(err) {
		return err
	}
	r.Reject(s.get())
	return invoke(ctx, method, req, reply, cc, opts...)
}

func (r *Refreshing) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s := &sent{}
	cs, err := streamer(context.WithValue(ctx, sentKey{}, s), desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &clientStream{ClientStream: cs, refreshing: r, sent: s}, nil
}

// clientStream rejects the token of a stream that the server ended for it.
type clientStream struct {
	grpc.ClientStream

	refreshing *Refreshing
	sent       *sent
}

// RecvMsg implements grpc.ClientStream.
func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if renewable(err) {
		s.refreshing.Reject(s.sent.get())
	}
	return err
}

// renewable tells whether a new token may help.
func renewable(err error) bool {
	if grpcstatus.Code(err) != codes.Unauthenticated {
		return false
	}
	info := status.Info(err)
	if info.GetDomain() != "authz.curfew.dev" {
		return false
	}
	return info.GetReason() == "TOKEN_EXPIRED" || info.GetReason() == "TOKEN_REVOKED"
}

// statusOf keeps "signed out" and "not now" apart for the caller of an RPC.
func statusOf(err error) error {
	if errors.Is(err, ErrSignedOut) {
		return grpcstatus.Error(codes.Unauthenticated, err.Error())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return grpcstatus.FromContextError(err).Err()
	}
	return grpcstatus.Error(codes.Unavailable, err.Error())
}
