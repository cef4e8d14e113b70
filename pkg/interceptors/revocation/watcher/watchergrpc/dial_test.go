package watchergrpc

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// server is a client of a server whose streams bring messages and then end.
type server struct {
	revocationv1.RevocationServiceClient

	messages int
	end      error
	opened   int
}

func (s *server) WatchRevocations(context.Context, ...grpc.CallOption) (revocationv1.RevocationService_WatchRevocationsClient, error) {
	s.opened++
	return &stream{left: s.messages, end: s.end}, nil
}

type stream struct {
	revocationv1.RevocationService_WatchRevocationsClient

	left int
	end  error
}

func (s *stream) Recv() (*revocationv1.WatchRevocationsResponse, error) {
	if s.left == 0 {
		return nil, s.end
	}
	s.left--
	return &revocationv1.WatchRevocationsResponse{Message: &revocationv1.WatchRevocationsResponse_Move{Move: &revocationv1.Move{}}}, nil
}

func TestAStreamWhoseTokenIsOverIsOpenedAtTheSameServerAgain(t *testing.T) {
	t.Parallel()
	over := status.Error(codes.Unauthenticated, "the token is over")
	for name, test := range map[string]struct {
		messages int
		end      error
		stays    bool
	}{
		"its token is over":                    {1, over, true},
		"it is refused from the first moment":  {0, over, false},
		"the server goes":                      {1, status.Error(codes.Unavailable, "stopping"), false},
		"the server ends it without an error":  {1, io.EOF, false},
		"the connection breaks without a word": {0, errors.New("reset"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := &server{messages: test.messages, end: test.end}, &server{messages: test.messages, end: test.end}
			dial := among([]revocationv1.RevocationServiceClient{a, b})
			for range 4 {
				drain(t, dial)
			}
			if stayed := a.opened == 0 || b.opened == 0; stayed != test.stays {
				t.Errorf("the servers had %d and %d streams", a.opened, b.opened)
			}
		})
	}
}

// A watcher that moves opens the next stream before the old one ends.
func TestTheEndOfAnOldStreamDoesNotTakeAWatcherBackToWhereItLeft(t *testing.T) {
	t.Parallel()
	over := status.Error(codes.Unauthenticated, "the token is over")
	servers := []*server{{messages: 1, end: over}, {messages: 1, end: over}, {messages: 1, end: over}}
	dial := among([]revocationv1.RevocationServiceClient{servers[0], servers[1], servers[2]})
	old, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = old.Recv()
	}
	old.Close()
	if _, err := dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, s := range servers {
		if s.opened != 1 {
			t.Errorf("server %d had %d streams", i, s.opened)
		}
	}
}

// drain opens a stream and reads it to its end.
func drain(t *testing.T, dial watcher.Dial) {
	t.Helper()
	s, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for err == nil {
		_, err = s.Recv()
	}
}
