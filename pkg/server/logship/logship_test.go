package logship_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/server/logship"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is a buffer that the shipper and the logger may write together.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Split(strings.TrimSpace(o.b.String()), "\n")
}

func TestALineIsWrittenAndShipped(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	out := &output{}
	shipper, err := logship.New(cluster.ListenAddrs(), "logs", out)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(logship.Handler(out, nil, shipper)).With("service", "orders")
	log.InfoContext(t.Context(), "order created", "order", "42")
	if got := len(out.lines()); got != 1 {
		t.Errorf("%d lines on the service's own output, want 1", got)
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("logs"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var records []*kgo.Record
	await := func(n int) {
		t.Helper()
		for len(records) < n {
			if ctx.Err() != nil {
				t.Fatalf("%d lines shipped, want %d", len(records), n)
			}
			records = append(records, consumer.PollFetches(ctx).Records()...)
		}
	}
	await(1)
	log.InfoContext(t.Context(), "the last line")
	shipper.Close()
	await(2 - int(shipper.Dropped())) // half a second may not be enough on a busy machine, and that is said
	var line map[string]any
	if err := json.Unmarshal(records[0].Value, &line); err != nil {
		t.Fatal(err)
	}
	if line["msg"] != "order created" || line["service"] != "orders" || line["order"] != "42" {
		t.Errorf("shipped %v", line)
	}
}

func TestABrokerThatNeverAnswersDelaysNeitherALineNorTheStop(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	out := &output{}
	shipper, err := logship.New([]string{silent.Addr().String()}, "logs", out)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(logship.Handler(out, nil, shipper))
	const lines = 25_000
	for range lines {
		log.InfoContext(t.Context(), "line")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		shipper.Close()
	}()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("Close waits for a broker that never answers")
	}
	if shipper.Dropped() == 0 {
		t.Error("lines were dropped and not counted")
	}
	told := out.lines()
	if got := len(told); got < lines {
		t.Errorf("%d lines on the service's own output, want all %d", got, lines)
	}
	if !strings.Contains(told[len(told)-1], "log lines not shipped") {
		t.Errorf("the last line does not tell of the loss: %s", told[len(told)-1])
	}
}
