// Package watchergrpc connects a watcher to servers of the feed over gRPC.
package watchergrpc

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/revocationpb"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Dial returns a way to reach the servers behind the clients, which authorize
// themselves as a service principal. Every attempt takes the next client, from
// a random one on: with one client per server the watchers spread over them,
// and one that is asked to move goes elsewhere.
// With one client of several servers its balancer decides; use round_robin.
func Dial(clients ...revocationv1.RevocationServiceClient) (watcher.Dial, error) {
	if len(clients) == 0 {
		return nil, errors.New("watchergrpc: no client")
	}
	var attempt atomic.Uint64
	attempt.Store(rand.Uint64N(uint64(len(clients))))
	return func(ctx context.Context) (message.ClientStream, error) {
		ctx, cancel := context.WithCancel(ctx)
		client := clients[(attempt.Add(1)-1)%uint64(len(clients))]
		stream, err := client.WatchRevocations(ctx)
		if err != nil {
			cancel()
			return nil, err
		}
		return &clientStream{stream: stream, cancel: cancel}, nil
	}, nil
}

type clientStream struct {
	stream revocationv1.RevocationService_WatchRevocationsClient
	cancel context.CancelFunc
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
		return nil, err
	}
	return revocationpb.ToResponse(wire)
}

func (s *clientStream) Close() { s.cancel() }
