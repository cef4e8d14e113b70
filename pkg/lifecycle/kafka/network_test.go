package kafka_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const topic = "records"

// broker is kfake in an in-memory network that can freeze: what is written arrives nowhere, and nothing is answered, as
// with a broker under SIGSTOP.
type broker struct {
	t       *testing.T
	network kfake.VirtualNetwork
	cluster *kfake.Cluster
	frozen  atomic.Bool

	refuse  sync.Once
	refusal atomic.Pointer[kerr.Error]
	refused atomic.Int64 // commits, at most mostRefused
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{t: t}
	var err error
	b.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.SeedTopics(4, topic), kfake.ListenFn(b.network.Listen))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *broker) close() {
	b.frozen.Store(false)
	b.cluster.Close()
}

func (b *broker) client(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	cl, err := kgo.NewClient(b.options(opts...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	return cl
}

// options lead a client to the broker.
func (b *broker) options(opts ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(b.cluster.ListenAddrs()...),
		kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := b.network.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &frozenConn{Conn: conn, frozen: &b.frozen}, nil
		}),
		kgo.DefaultProduceTopic(topic),
	}, opts...)
}

// count reads how many records the broker holds.
func (b *broker) count() int64 {
	var sum int64
	for p := range int32(4) {
		sum += b.cluster.PartitionInfo(topic, p).HighWatermark
	}
	return sum
}

type frozenConn struct {
	net.Conn

	frozen *atomic.Bool
}

func (c *frozenConn) Write(p []byte) (int, error) {
	if c.frozen.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *frozenConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.frozen.Load() {
			return n, err
		}
	}
}

func newGroup(t *testing.T, opts ...lifecycle.Option) *lifecycle.Group {
	t.Helper()
	g, err := lifecycle.New(append([]lifecycle.Option{
		lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard), lifecycle.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// run runs the group until it has started and returns a function that stops it and says how long that took.
func run(t *testing.T, g *lifecycle.Group) (stop func() (time.Duration, error)) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- g.Run(t.Context()) }()
	<-g.Started()
	return func() (time.Duration, error) {
		begin := time.Now()
		g.Shutdown(nil)
		err := <-done
		return time.Since(begin), err
	}
}
