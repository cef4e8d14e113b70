package creds

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// sentKey finds the note in which GetRequestMetadata writes what a call sent:
// only that token may be rejected, the current one may be newer.
type sentKey struct{}

type sent struct {
	mu    sync.Mutex
	token Token
}

func note(ctx context.Context, t Token) {
	if s, ok := ctx.Value(sentKey{}).(*sent); ok {
		s.mu.Lock()
		s.token = t
		s.mu.Unlock()
	}
}

func (s *sent) get() Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// DialOptions returns the options for a client connection of your own; [Dial]
// adds them by itself. They put the token on every call. If a server answers
// TOKEN_EXPIRED or TOKEN_REVOKED, they renew the token and repeat the call
// once: unary calls, and streams with one request.
//
// A call that may have had an effect is not repeated: one that was cut off
// after its handler had begun, unless the .proto says that repeating is safe
// (idempotency_level); and a stream on which the client went on sending or has
// received something. The caller gets the error, and the next call has a new
// token.
func (r *Refreshing) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithPerRPCCredentials(r),
		grpc.WithChainUnaryInterceptor(r.unary),
		grpc.WithChainStreamInterceptor(r.stream),
	}
}

func (r *Refreshing) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	a := &attempts{refreshing: r, method: method}
	for {
		s := &sent{}
		err := invoke(context.WithValue(ctx, sentKey{}, s), method, req, reply, cc, opts...)
		if again, err := a.again(ctx, err, s.get()); !again {
			return err
		}
	}
}

// attempts are those of one call.
type attempts struct {
	refreshing *Refreshing
	method     string
	renewals   int
	begun      int // renewals of all calls that had begun at the last refusal
}

// maxRenewals bounds the renewals for one call. One is enough if the issuer was
// asked after the refusal; a token that was found somewhere, or came from a
// renewal that was on its way by then, may be as dead.
const maxRenewals = 3

// again judges an attempt that sent t and ended with err: it is worth another
// one if there is a newer token. The error is what the call ends with else.
func (a *attempts) again(ctx context.Context, err error, t Token) (bool, error) {
	asked := a.renewals > 0 && !t.Found && t.renewal > a.begun
	if !renewable(err) || asked || a.renewals == maxRenewals {
		return false, err
	}
	a.begun = a.refreshing.reject(t.Value)
	if admitted(err) && !mayRepeat(a.method) {
		return false, err
	}
	next, renewErr := a.refreshing.Token(ctx)
	switch {
	case renewErr != nil:
		return false, statusOf(ctx, renewErr)
	case next.Value == t.Value:
		return false, err
	}
	a.renewals++
	return true, nil
}

// renewable tells whether a new token may help.
func renewable(err error) bool {
	if grpcstatus.Code(err) != codes.Unauthenticated {
		return false
	}
	info := status.Info(err)
	if info.GetDomain() != ChainDomain {
		return false
	}
	return info.GetReason() == "TOKEN_EXPIRED" || info.GetReason() == "TOKEN_REVOKED"
}

// ChainDomain is the ErrorInfo domain of refusals by the chain, of which the
// reasons are curfew.authz.v1.ErrorReason.
const ChainDomain = "authz.curfew.dev"

// Admitted is a key in the metadata of an ErrorInfo. Its value is "true" if the
// token was good when the call began, so that the handler has run.
const Admitted = "admitted"

func admitted(err error) bool { return status.Info(err).GetMetadata()[Admitted] == "true" }
