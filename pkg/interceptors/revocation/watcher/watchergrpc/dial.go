// Package watchergrpc connects a watcher to servers of the feed over gRPC.
package watchergrpc

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/internal/revocationpb"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Dial returns a watcher.Dial for the servers behind conns, which must carry the
// token of a service principal (package creds). Every attempt takes the next
// connection, starting with a random one. With one connection for each server,
// watchers spread over the servers, and a watcher that is asked to move goes to
// another one. With one connection for several servers, its load balancing
// decides; use round_robin. Every attempt ends the backoff of its connection.
//
// If a stream has worked and then ends because its token has expired, it is
// opened again at the same server. That server still counts the
// acknowledgements; with another one, a revoking call would have to wait for
// the old lease.
func Dial(conns ...*grpc.ClientConn) (watcher.Dial, error) {
	if len(conns) == 0 || slices.Contains(conns, nil) {
		return nil, errors.New("watchergrpc: no connection")
	}
	clients := make([]revocationv1.RevocationServiceClient, len(conns))
	for i, conn := range conns {
		clients[i] = &client{RevocationServiceClient: revocationv1.NewRevocationServiceClient(conn), conn: conn}
	}
	return among(clients), nil
}

// among returns a way to reach one of several servers after the other.
func among(clients []revocationv1.RevocationServiceClient) watcher.Dial {
	var attempt atomic.Uint64
	attempt.Store(rand.Uint64N(uint64(len(clients))))
	return func(ctx context.Context) (message.ClientStream, error) {
		ctx, cancel := context.WithCancel(ctx)
		number := attempt.Add(1)
		client := clients[number%uint64(len(clients))]
		stream, err := client.WatchRevocations(ctx)
		if err != nil {
			cancel()
			return nil, err
		}
		// Only for the latest stream: a watcher that moves has another one.
		again := func() { attempt.CompareAndSwap(number, number-1) }
		return &clientStream{stream: stream, cancel: cancel, again: again}, nil
	}
}

type clientStream struct {
	stream revocationv1.RevocationService_WatchRevocationsClient
	cancel context.CancelFunc
	again  func() // the next attempt goes to the same server
	worked bool   // something has come; only for Recv
}

func (s *clientStream) Send(m message.Request) error {
	wire, err := revocationpb.FromRequest(m)
	if err != nil {
		return err
	}
	return s.stream.Send(wire)
}

func (s *clientStream) Recv() (message.Response, error) {
	wire, err := s.stream.Recv()
	if err != nil {
		if s.worked && status.Code(err) == codes.Unauthenticated {
			s.again()
		}
		return nil, err
	}
	s.worked = true
	return revocationpb.ToResponse(wire)
}

func (s *clientStream) Close() { s.cancel() }
