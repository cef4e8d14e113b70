// Package chain measures what authentication, revocation and authorization add
// to a call: the full chain against the identical chain with those three links
// passing, and against golang-jwt with Redis EXISTS per call.
package chain

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/curfew-platform/curfew/bench/ratio"
)

const (
	issuer   = "https://auth.curfew.dev"
	audience = "curfew"
	clients  = 64
	calls    = 2048 // of one run
	finer    = 20   // times as many pairs where the difference is small
	patience = time.Minute
)

// Run measures each comparison in pairs of short runs. redisAddr is a real
// server. Processor time is that of client and server together, or of the server
// alone, so that whatever else the machine does meets it less than the time of
// the wall.
//
// How many calls a server takes is asked of one that has a single processor,
// while clients and Redis have the others: where all share all of them, the
// client's work is half of both sides, and hides what is compared. On a busy
// machine the server has no processor of its own either; what it spent says then
// how many calls one would take.
func Run(ctx context.Context, pairs int, redisAddr string) ([]ratio.Result, error) {
	one, err := start(ctx, redisAddr, 1)
	if err != nil {
		return nil, err
	}
	defer one.close()
	all, err := start(ctx, redisAddr, 0)
	if err != nil {
		return nil, err
	}
	defer all.close()
	run := func(p *process, conn *grpc.ClientConn, method string, read func(spent) float64) func() (float64, error) {
		return func() (float64, error) {
			s, err := p.run(ctx, conn, method)
			return read(s), err
		}
	}
	full := func(p *process, read func(spent) float64) func() (float64, error) {
		return run(p, p.full, guardedMethod, read)
	}
	without := func(p *process, read func(spent) float64) func() (float64, error) {
		return run(p, p.full, publicMethod, read)
	}
	peer := func(p *process, read func(spent) float64) func() (float64, error) {
		return run(p, p.peer, publicMethod, read)
	}
	const (
		links   = "full chain / the identical chain without authentication, revocation and authorization, same metadata, "
		instead = "full chain / the same chain with golang-jwt and Redis EXISTS on every call instead, "
	)
	comparisons := []struct {
		result       ratio.Result
		ours, theirs func() (float64, error)
		pairs        int
	}{
		{
			ratio.Result{Name: links + "processor time of client and server", Unit: "us/call", Goal: 1.03, Below: true},
			full(one, processors), without(one, processors), pairs * finer,
		},
		{
			ratio.Result{Name: links + "time", Unit: "us/call", Goal: 1.03, Below: true},
			full(one, wall), without(one, wall), pairs * finer,
		},
		{
			ratio.Result{Name: links + "processor time of the server alone", Unit: "us/call"},
			full(one, server), without(one, server), pairs * finer,
		},
		{
			ratio.Result{Name: instead + "calls per second that a server with one processor takes", Unit: "calls/s", Goal: 3},
			full(one, perSecond), peer(one, perSecond), pairs,
		},
		{
			ratio.Result{Name: instead + "calls in a second of the server's processor time, that of Redis not counted", Unit: "calls/s", Goal: 3},
			full(one, capacity), peer(one, capacity), pairs,
		},
		{
			ratio.Result{Name: instead + "calls per second where server, clients and Redis share all processors", Unit: "calls/s"},
			full(all, perSecond), peer(all, perSecond), pairs,
		},
	}
	var out []ratio.Result
	for _, c := range comparisons {
		for _, warm := range []func() (float64, error){c.ours, c.theirs} {
			if _, err := warm(); err != nil {
				return nil, err
			}
		}
		if c.result.Pairs, err = ratio.Measure(c.pairs, c.ours, c.theirs); err != nil {
			return nil, err
		}
		out = append(out, c.result)
	}
	return out, nil
}

// spent is what one run took.
type spent struct{ wall, client, server time.Duration }

func wall(s spent) float64       { return perCall(s.wall) }
func processors(s spent) float64 { return perCall(s.client + s.server) }
func server(s spent) float64     { return perCall(s.server) }
func perSecond(s spent) float64  { return calls / s.wall.Seconds() }
func capacity(s spent) float64   { return calls / s.server.Seconds() }

func perCall(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / calls }

// run makes the calls of one run, with several clients at work.
func (p *process) run(ctx context.Context, conn *grpc.ClientConn, method string) (s spent, err error) {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "authorization", p.bearer), patience)
	defer cancel()
	served, err := p.used()
	if err != nil {
		return s, err
	}
	begin, used := time.Now(), processorTime()
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			in, out := wrapperspb.String("hello"), &wrapperspb.StringValue{}
			for range calls / clients {
				if err := conn.Invoke(ctx, method, in, out); err != nil {
					return fmt.Errorf("call %s: %w", method, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return s, err
	}
	s = spent{wall: time.Since(begin), client: processorTime() - used}
	after, err := p.used()
	s.server = after - served
	return s, err
}
