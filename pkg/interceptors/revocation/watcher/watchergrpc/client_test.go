package watchergrpc_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher/watchergrpc"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// hello is a server that moves whoever comes.
type hello struct {
	revocationv1.UnimplementedRevocationServiceServer
}

func (hello) WatchRevocations(s revocationv1.RevocationService_WatchRevocationsServer) error {
	return s.Send(&revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Move{Move: &revocationv1.Move{}}})
}

// open opens a stream and reads its first message.
func open(ctx context.Context, dial func(context.Context) (message.ClientStream, error)) error {
	s, err := dial(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Recv()
	return err
}

// listen takes connections until serve is called, and ends them.
func listen(t *testing.T) (address string, serve func()) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready, serving := make(chan struct{}), make(chan struct{})
	server := grpc.NewServer()
	revocationv1.RegisterRevocationServiceServer(server, hello{})
	go func() {
		defer close(serving)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case <-ready:
				_ = conn.Close() // the last one that came too early
				_ = server.Serve(l)
				return
			default:
				_ = conn.Close()
			}
		}
	}()
	t.Cleanup(func() {
		server.Stop()
		_ = l.Close()
		<-serving
	})
	return l.Addr().String(), func() { close(ready) }
}

func TestAServerThatComesBackIsFoundAtTheNextAttemptsAndNotWhenAPauseIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	address, serve := listen(t)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Hour, Multiplier: 1, MaxDelay: time.Hour}}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dial, err := watchergrpc.Dial(conn)
	if err != nil {
		t.Fatal(err)
	}
	if open(ctx, dial) == nil {
		t.Fatal("a stream without a server")
	}
	serve()
	between := time.NewTicker(10 * time.Millisecond)
	defer between.Stop()
	for err = open(ctx, dial); err != nil; err = open(ctx, dial) {
		select {
		case <-between.C:
		case <-ctx.Done():
			t.Fatalf("the server is back, and not found: %v", err)
		}
	}
}
