package grpcserver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// clients are what talks to the server.
type clients struct {
	t      *testing.T
	f      *fixture
	ctx    context.Context
	cancel context.CancelFunc
	closes []func() error

	following int // streams that end when they are told of the stop
}

func newClients(t *testing.T, f *fixture) *clients {
	t.Helper()
	c := &clients{t: t, f: f}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// random starts clients and reports whether one of them keeps a handler that ignores its context.
func (c *clients) random(r *rand.Rand) (ignorant bool) {
	for range r.IntN(4) {
		switch r.IntN(9) {
		case 0:
			c.raw(clientHello) // frozen
		case 1:
			c.raw(nil) // never says hello
		case 2:
			if _, err := healthpb.NewHealthClient(c.conn()).Watch(c.ctx, &healthpb.HealthCheckRequest{}); err != nil {
				c.t.Error(err)
			}
		case 3:
			openStream(c.ctx, c.t, c.conn(), "obey")
		case 4:
			call(c.ctx, c.conn(), "ignore")
			ignorant = true
		case 5:
			conn := c.conn()
			for range r.IntN(20) {
				openStream(c.ctx, c.t, conn, "follow")
				c.following++
			}
		case 6:
			call(c.ctx, c.conn(), pick(r, "follow", "late"))
		default:
			call(c.ctx, c.conn(), fmt.Sprintf("%dms", r.IntN(12000)))
		}
	}
	return ignorant
}

func (c *clients) conn() *grpc.ClientConn {
	conn := c.f.dial(c.t)
	c.closes = append(c.closes, conn.Close)
	return conn
}

func (c *clients) raw(hello []byte) {
	conn, err := c.f.lis.DialContext(c.ctx)
	if err == nil {
		c.closes = append(c.closes, conn.Close)
		_, err = conn.Write(hello)
	}
	if err != nil {
		c.t.Error(err)
	}
}

func (c *clients) close() {
	c.cancel()
	for _, f := range c.closes {
		_ = f()
	}
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }
