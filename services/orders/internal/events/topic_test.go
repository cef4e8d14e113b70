package events_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/events"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// fake is a broker in this process.
func fake(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newTopic() string { return "order-events-" + uuid.NewString() }

// published is one record of the topic.
type published struct {
	partition int32
	offset    int64
	key       string
	event     *ordersv1.OrderEvent
}

// read returns everything in the topic, by partition and offset.
func read(t *testing.T, brokers []string, topic string) []published {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	var all []published
	for int64(len(all)) < want {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			e := &ordersv1.OrderEvent{}
			if err := proto.Unmarshal(r.Value, e); err != nil {
				t.Errorf("record %d: %v", r.Offset, err)
			}
			all = append(all, published{r.Partition, r.Offset, string(r.Key), e})
		})
	}
	slices.SortFunc(all, func(a, b published) int {
		if a.partition != b.partition {
			return int(a.partition - b.partition)
		}
		return int(a.offset - b.offset)
	})
	return all
}

// checkTopic fails the test unless the first occurrences of every order are all
// its versions, in order and without a gap. It returns how many records came
// again.
func checkTopic(t *testing.T, shop *ordertest.Shop, log []published) (again int) {
	t.Helper()
	last, ids := map[string]int64{}, map[string]map[int64]string{}
	for _, p := range log {
		if !strings.HasSuffix(p.event.GetOrder(), "/orders/"+p.key) {
			t.Errorf("key %s of %s", p.key, p.event.GetOrder())
		}
		if ids[p.key] == nil {
			ids[p.key] = map[int64]string{}
		}
		v := p.event.GetOrderVersion()
		switch {
		case v == last[p.key]+1:
			last[p.key] = v
			ids[p.key][v] = p.event.GetEventId()
		case v > last[p.key]:
			t.Errorf("order %s: version %d comes before %d", p.key, v, last[p.key]+1)
			last[p.key] = v
		default:
			again++
			if ids[p.key][v] != p.event.GetEventId() {
				t.Errorf("order %s: version %d came again with another event id", p.key, v)
			}
		}
	}
	rows, err := shop.DB.Query(t.Context(), `SELECT order_id::text, version FROM orders`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var version int64
		if err := rows.Scan(&id, &version); err != nil {
			t.Fatal(err)
		}
		if last[id] != version {
			t.Errorf("order %s: version %d, published up to %d", id, version, last[id])
		}
	}
	return again
}

// trade makes orders and takes each of them some way, at once.
func trade(t *testing.T, shop *ordertest.Shop, orders int) {
	t.Helper()
	shop.Product(t, "a", 1000, 1_000_000)
	const clients = 4
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range orders / clients {
				o := shop.Order(t, uuid.New(), "a")
				switch rand.N(3) {
				case 0:
					if _, err := shop.Pay(context.Background(), ordertest.PayRequest(o.User), o, "card"); err != nil {
						t.Error(err)
					}
				case 1:
					note := "ring twice"
					if _, err := shop.Store.UpdateOrder(context.Background(), ordertest.Request(o.User, "UpdateOrder"), postgres.OrderEdit{User: o.User, ID: o.ID, Note: &note}); err != nil {
						t.Error(err)
					}
				}
				if rand.N(2) == 0 {
					if _, err := shop.Store.CancelOrder(context.Background(), ordertest.Request(o.User, "CancelOrder"), postgres.Cancellation{User: o.User, Order: o.ID}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	shop.Settle(t)
	ordertest.Check(t, shop.DB)
}

// newRelay is a relay that looks at its outbox all the time.
func newRelay(t *testing.T, outbox events.Outbox, brokers []string, topic string, options ...func(*events.Config)) *kafka.Relay {
	t.Helper()
	cfg := events.Config{
		Outbox: outbox, Topic: topic, NewProducer: events.Producers(brokers, topic, 4), Poll: 5 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
	}
	for _, o := range options {
		o(&cfg)
	}
	relay, err := events.NewRelay(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return relay
}

// start runs a relay until the returned function is called, which waits for its end.
func start(t *testing.T, outbox events.Outbox, brokers []string, topic string, options ...func(*events.Config)) (stop func()) {
	t.Helper()
	relay := newRelay(t, outbox, brokers, topic, options...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// drained returns once the outbox is empty.
func drained(t *testing.T, shop *ordertest.Shop) {
	t.Helper()
	shop.Until(t, `SELECT NOT EXISTS (SELECT 1 FROM outbox_events)`)
}

// version is how many events the database has.
func version(t *testing.T, shop *ordertest.Shop) (n int) {
	t.Helper()
	if err := shop.DB.QueryRow(t.Context(), `SELECT count(*) FROM order_events`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
