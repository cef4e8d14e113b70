package creds

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

func (r *Refreshing) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s := &clientStream{
		attempts: attempts{refreshing: r, method: method},
		ctx:      ctx,
		single:   !desc.ClientStreams,
		open: func(note *sent) (grpc.ClientStream, error) {
			return streamer(context.WithValue(ctx, sentKey{}, note), desc, cc, method, opts...)
		},
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, nil
}

// clientStream rejects the token of a stream that the server ended for it, and
// begins the stream anew if it had one request and no answer yet, as a unary
// call is repeated.
type clientStream struct {
	open   func(note *sent) (grpc.ClientStream, error)
	ctx    context.Context //nolint:containedctx // The one of the caller outlives each attempt.
	single bool            // one request
	// Only RecvMsg uses attempts and received, which is never called twice at
	// the same time.
	attempts attempts
	received bool

	mu      sync.Mutex
	inner   grpc.ClientStream
	note    *sent
	request any // the one that was sent, as long as it may have to be again
}

func (s *clientStream) begin() error {
	note := &sent{}
	inner, err := s.open(note)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inner, s.note = inner, note
	return nil
}

func (s *clientStream) now() (grpc.ClientStream, *sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner, s.note
}

// SendMsg implements grpc.ClientStream.
func (s *clientStream) SendMsg(m any) error {
	if s.single {
		s.keep(m)
	}
	inner, _ := s.now()
	return inner.SendMsg(m)
}

// keep remembers the request as it is now: the caller may change it later.
func (s *clientStream) keep(m any) {
	if message, ok := m.(proto.Message); ok {
		m = proto.Clone(message)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request = m
}

// forget lets go of the request and returns it.
func (s *clientStream) forget() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.request
	s.request = nil
	return m
}

// RecvMsg implements grpc.ClientStream.
func (s *clientStream) RecvMsg(m any) error {
	for {
		inner, note := s.now()
		err := inner.RecvMsg(m)
		if err == nil {
			if !s.received {
				s.received = true
				s.forget()
			}
			return nil
		}
		if !renewable(err) {
			return err
		}
		request := s.forget()
		if request == nil {
			s.attempts.refreshing.Reject(note.get().Value)
			return err
		}
		again, err := s.attempts.again(s.ctx, err, note.get())
		if !again {
			return err
		}
		if err := s.repeat(request); err != nil {
			return err
		}
	}
}

// repeat sends the request on a new stream. Should that one end at once,
// RecvMsg says why.
func (s *clientStream) repeat(request any) error {
	if err := s.begin(); err != nil {
		return err
	}
	s.keep(request)
	inner, _ := s.now()
	_ = inner.SendMsg(request)
	_ = inner.CloseSend()
	return nil
}

// CloseSend implements grpc.ClientStream.
func (s *clientStream) CloseSend() error {
	inner, _ := s.now()
	return inner.CloseSend()
}

// Header implements grpc.ClientStream.
func (s *clientStream) Header() (metadata.MD, error) {
	inner, _ := s.now()
	return inner.Header()
}

// Trailer implements grpc.ClientStream.
func (s *clientStream) Trailer() metadata.MD {
	inner, _ := s.now()
	return inner.Trailer()
}

// Context implements grpc.ClientStream.
func (s *clientStream) Context() context.Context {
	inner, _ := s.now()
	return inner.Context()
}
