package interceptors

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// serverStream shows every received message to the links, and makes RecvMsg
// and SendMsg end when the call's context does. gRPC's own only look at the
// context of the transport, so a handler that waits for a silent client, or
// for one that reads nothing, would outlive the revocation of its token.
type serverStream struct {
	grpc.ServerStream

	chain *Chain
	call  *call

	receiver, sender pump

	mu      sync.Mutex
	refusal error // of a message; the handler cannot swallow it
}

func newServerStream(ch *Chain, c *call, ss grpc.ServerStream) *serverStream {
	return &serverStream{ServerStream: ss, chain: ch, call: c}
}

// Context is the context of the innermost link.
func (s *serverStream) Context() context.Context { return s.call.ctx }

// RecvMsg receives, then lets the links judge. After an error the stream is
// over.
func (s *serverStream) RecvMsg(m any) error {
	if err := s.do(&s.receiver, s.ServerStream.RecvMsg, m); err != nil {
		return receiveError(err)
	}
	if err := s.chain.message(s.call, m); err != nil {
		s.refuse(err)
		return err
	}
	return nil
}

// SendMsg sends. A message whose sending was cut off must not be changed.
func (s *serverStream) SendMsg(m any) error {
	return gone(s.do(&s.sender, s.ServerStream.SendMsg, m))
}

func (s *serverStream) do(p *pump, f func(any) error, m any) error {
	if s.call.public() {
		return f(m)
	}
	return p.do(s.call.ctx, f, m)
}

func (s *serverStream) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal == nil {
		s.refusal = err
	}
	s.call.Cancel(err)
}

func (s *serverStream) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// close ends the goroutines. One that is still in the transport ends with the
// stream, which is when the chain has returned.
func (s *serverStream) close() {
	s.receiver.close()
	s.sender.close()
}

// receiveError makes statuses of ours from what the transport says about a
// message that the client sent.
func receiveError(err error) error {
	if isOurs(err) {
		return err
	}
	switch grpcstatus.Code(err) {
	case codes.ResourceExhausted:
		return errMessage
	case codes.Internal:
		return status.WithCause(errEncoding, err)
	default:
		return gone(err)
	}
}

// gone says that the client, or the connection to it, is no more, if err does.
// Everything else that can happen to a message on its way out is a mistake of
// the server and stays one.
func gone(err error) error {
	if isOurs(err) {
		return err
	}
	switch grpcstatus.Code(err) {
	case codes.Canceled, codes.Unavailable:
		return errCanceled
	case codes.DeadlineExceeded:
		return errDeadline
	default:
		return err
	}
}
