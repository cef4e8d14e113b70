package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/e2e/faults/history"
	"github.com/curfew-platform/curfew/e2e/faults/replica"
)

// look makes one call.
func (c *Clients) look(ctx context.Context, s *Server, h *history.Token) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	before, start := s.Process(), time.Now()
	err := Look(ctx, s)
	process := ""
	if s.Process() == before {
		process = before
	}
	c.judge(err, process, start, h)
}

// Look calls a replica once.
func Look(ctx context.Context, s *Server) error {
	return s.Conn.Invoke(ctx, replica.Look, &emptypb.Empty{}, &timestamppb.Timestamp{})
}

// follow reads a stream to its end. Each message is a moment at which the
// handler ran and would have been let do its work.
func (c *Clients) follow(ctx context.Context, s *Server, h *history.Token) {
	process := s.Process()
	stream, err := s.Conn.NewStream(ctx, &replica.FollowDesc, replica.Follow)
	if err != nil {
		return
	}
	if stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	started := false
	for {
		moment := &timestamppb.Timestamp{}
		start := time.Now()
		err := stream.RecvMsg(moment)
		if err != nil {
			c.judge(err, process, start, h)
			return
		}
		if !started && s.Process() != process {
			process = "" // whichever it is, it stays
		}
		started = true
		h.Saw(history.Admitted, process, moment.AsTime(), time.Now())
		c.count(func(t *Tally) { t.Ticks++ })
	}
}

// sequence reads the position out of a REVOCATION_PENDING.
func sequence(err error) (int64, error) {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return strconv.ParseInt(info.GetMetadata()["seq"], 10, 64)
		}
	}
	return 0, fmt.Errorf("no position in: %w", err)
}

func anyOf(servers []*Server) *Server { return servers[rand.IntN(len(servers))] }

// pause waits; a client has no better event.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
