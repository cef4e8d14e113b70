// Package logship copies the log lines of a service to a Kafka topic, beside
// writing them to its own output. Shipping never blocks the service and never
// delays its stop: a bounded buffer drops the oldest line and counts it, and
// the service's own output always has the line.
package logship

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// bufferLines bounds the lines that wait to be sent.
	bufferLines = 10_000
	// flushLimit bounds what Close waits for.
	flushLimit = 500 * time.Millisecond
	// reportEvery is how often dropped lines are told.
	reportEvery = 10 * time.Second
)

// Shipper owns the buffer and the client. Make one with New.
type Shipper struct {
	client  *kgo.Client
	out     io.Writer
	dropped atomic.Int64
	told    int64

	mu    sync.Mutex
	lines [][]byte // a ring would save copying; the slice is cut when it is taken
	wake  chan struct{}
	done  chan struct{}
	stop  context.CancelFunc
}

// New returns a shipper to a topic. out gets what the shipper itself has to
// say: lines dropped, broker unreachable. security is how the brokers are
// reached. It does not wait for the broker.
func New(brokers []string, topic string, out io.Writer, security ...kgo.Opt) (*Shipper, error) {
	if len(brokers) == 0 || topic == "" {
		return nil, errors.New("log shipping needs brokers and a topic")
	}
	client, err := kgo.NewClient(append(security,
		kgo.SeedBrokers(brokers...),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerLinger(20*time.Millisecond),
		kgo.RecordDeliveryTimeout(10*time.Second),
		kgo.MaxBufferedRecords(bufferLines),
		kgo.AllowAutoTopicCreation(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("log shipping: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Shipper{client: client, out: out, wake: make(chan struct{}, 1), done: make(chan struct{}), stop: stop}
	go s.run(ctx)
	return s, nil
}

// Dropped counts the lines that were not shipped.
func (s *Shipper) Dropped() int64 { return s.dropped.Load() }

// Close sends what is buffered, for at most half a second, and ends the shipper.
func (s *Shipper) Close() {
	s.stop()
	<-s.done
}

func (s *Shipper) add(line []byte) {
	s.mu.Lock()
	if len(s.lines) >= bufferLines {
		s.lines = s.lines[1:]
		s.dropped.Add(1)
	}
	s.lines = append(s.lines, line)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Shipper) take() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

func (s *Shipper) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.flush()
			return
		case <-s.wake:
			s.send()
		case <-tick.C:
			s.tell()
		}
	}
}

func (s *Shipper) send() {
	for _, line := range s.take() {
		// TryProduce fails at once when the client's buffer is full.
		s.client.TryProduce(context.Background(), &kgo.Record{Value: line}, func(_ *kgo.Record, err error) {
			if err != nil {
				s.dropped.Add(1)
			}
		})
	}
}

func (s *Shipper) flush() {
	s.send()
	ctx, cancel := context.WithTimeout(context.Background(), flushLimit)
	defer cancel()
	_ = s.client.Flush(ctx) // what is left is counted as dropped by its promise
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.client.Close()
	}()
	select {
	case <-closed:
	case <-ctx.Done(): // a frozen broker: Close goes on, the process ends
	}
	s.tell()
}

func (s *Shipper) tell() {
	if n := s.dropped.Load(); n > s.told {
		slog.New(slog.NewJSONHandler(s.out, nil)).Warn("log lines not shipped", "count", n-s.told)
		s.told = n
	}
}

// Handler writes every record as one JSON line to out and hands a copy of the
// line to the shipper; a nil shipper ships nothing.
func Handler(out io.Writer, opts *slog.HandlerOptions, shipper *Shipper) slog.Handler {
	if shipper == nil {
		return slog.NewJSONHandler(out, opts)
	}
	h := &handler{local: slog.NewJSONHandler(out, opts), shipper: shipper, buf: &bytes.Buffer{}, mu: &sync.Mutex{}}
	h.encode = slog.NewJSONHandler(h.buf, opts)
	return h
}

type handler struct {
	local   slog.Handler
	encode  slog.Handler // writes into buf, under mu
	mu      *sync.Mutex
	buf     *bytes.Buffer
	shipper *Shipper
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.local.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if err := h.local.Handle(ctx, r); err != nil {
		return err
	}
	h.mu.Lock()
	h.buf.Reset()
	err := h.encode.Handle(ctx, r)
	line := bytes.TrimSuffix(bytes.Clone(h.buf.Bytes()), []byte("\n"))
	h.mu.Unlock()
	if err != nil {
		return err
	}
	h.shipper.add(line)
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.local, c.encode = h.local.WithAttrs(attrs), h.encode.WithAttrs(attrs)
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	c.local, c.encode = h.local.WithGroup(name), h.encode.WithGroup(name)
	return &c
}
