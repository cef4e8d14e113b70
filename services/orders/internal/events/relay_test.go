package events_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
	"github.com/curfew-platform/curfew/services/orders/internal/events"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

func size(ci, soak int) int {
	if os.Getenv("CURFEW_TEST_SIZE") == "soak" {
		return soak
	}
	return ci
}

// without kills every change is in the topic exactly once.
func exactlyOnce(t *testing.T, brokers []string) {
	t.Helper()
	shop, topic := ordertest.NewShop(t), newTopic()
	stop := start(t, shop.Store, brokers, topic)
	trade(t, shop, size(120, 20000))
	drained(t, shop)
	stop()
	log := read(t, brokers, topic)
	if again := checkTopic(t, shop, log); again != 0 || len(log) != version(t, shop) {
		t.Errorf("%d records for %d changes, %d of them again", len(log), version(t, shop), again)
	}
}

func TestEveryChangeIsPublishedExactlyOnceToKfake(t *testing.T) {
	t.Parallel()
	exactlyOnce(t, fake(t).ListenAddrs())
}

func TestEveryChangeIsPublishedExactlyOnceToApacheKafka(t *testing.T) {
	t.Parallel()
	exactlyOnce(t, kafkatest.Brokers(t))
}

// careless is an outbox whose leases bind nobody and whose relays die: between
// the acknowledgement and the delete, and while they hold what they have read.
type careless struct {
	*postgres.Store
	deaths atomic.Int32
}

var errDied = errors.New("the relay died")

func (c *careless) LeaseParts(ctx context.Context, holder string, ttl time.Duration) ([]int16, error) {
	if _, err := c.Store.LeaseParts(ctx, holder, ttl); err != nil {
		return nil, err
	}
	all := make([]int16, 16)
	for i := range all {
		all[i] = int16(i)
	}
	return all, nil
}

func (c *careless) Unpublished(ctx context.Context, parts []int16, limit int) ([]events.Unpublished, error) {
	batch, err := c.Store.Unpublished(ctx, parts, rand.N(limit)/10+1)
	if rand.N(4) == 0 { // only slow: the others go on
		select {
		case <-time.After(rand.N(20 * time.Millisecond)):
		case <-ctx.Done():
		}
	}
	return batch, err
}

func (c *careless) Published(ctx context.Context, seqs []int64) error {
	if rand.N(4) == 0 {
		c.deaths.Add(1)
		return errDied
	}
	return c.Store.Published(ctx, seqs)
}

// killed runs three relays that know of no lease, while they die.
func killed(t *testing.T, brokers []string) {
	t.Helper()
	shop, topic := ordertest.NewShop(t), newTopic()
	outbox := &careless{Store: shop.Store}
	var stops []func()
	for range 3 {
		stops = append(stops, start(t, outbox, brokers, topic))
	}
	trade(t, shop, size(120, 5000))
	drained(t, shop)
	for _, stop := range stops {
		stop()
	}
	log := read(t, brokers, topic)
	again := checkTopic(t, shop, log)
	t.Logf("%d records for %d changes, %d of them again, %d deaths", len(log), version(t, shop), again, outbox.deaths.Load())
}

func TestFirstOccurrencesAreInOrderThoughRelaysDieAndNobodyHoldsALease(t *testing.T) {
	t.Parallel()
	killed(t, fake(t).ListenAddrs())
}

func TestFirstOccurrencesAreInOrderOnApacheKafkaThoughRelaysDie(t *testing.T) {
	t.Parallel()
	killed(t, kafkatest.Brokers(t))
}

// A record that fails for good ends batch and session; only what was
// acknowledged is deleted.
func TestAFailedRecordEndsTheSessionAndKeepsItsRow(t *testing.T) {
	t.Parallel()
	broker := fake(t)
	var failing, requests atomic.Int32
	failing.Store(6)
	broker.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		requests.Add(1)
		if failing.Add(-1) < 0 {
			return nil, nil, false
		}
		r, ok := req.(*kmsg.ProduceRequest)
		if !ok {
			return nil, nil, false
		}
		return refuseAll(r), nil, true
	})
	shop, topic := ordertest.NewShop(t), newTopic()
	outbox := &recording{Store: shop.Store}
	var sessions atomic.Int32
	producers := events.Producers(broker.ListenAddrs(), topic, 1)
	start(t, outbox, broker.ListenAddrs(), topic, func(c *events.Config) {
		c.NewProducer = func(ctx context.Context) (*kgo.Client, error) {
			sessions.Add(1)
			return producers(ctx)
		}
	})
	trade(t, shop, 20)
	drained(t, shop)
	log := read(t, broker.ListenAddrs(), topic)
	if again := checkTopic(t, shop, log); again != 0 {
		t.Errorf("%d records came again", again)
	}
	if sessions.Load() < 2 || requests.Load() < 7 {
		t.Errorf("%d sessions, %d requests: nothing failed", sessions.Load(), requests.Load())
	}
	outbox.mu.Lock()
	defer outbox.mu.Unlock()
	if len(outbox.deleted) != len(log) {
		t.Errorf("%d rows deleted for %d records", len(outbox.deleted), len(log))
	}
}

func refuseAll(r *kmsg.ProduceRequest) *kmsg.ProduceResponse {
	resp := r.ResponseKind().(*kmsg.ProduceResponse) //nolint:forcetypeassert // Its kind.
	for _, topic := range r.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, kerr.InvalidRecord.Code
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

type recording struct {
	*postgres.Store
	mu      sync.Mutex
	deleted []int64
}

func (r *recording) Published(ctx context.Context, seqs []int64) error {
	r.mu.Lock()
	r.deleted = append(r.deleted, seqs...)
	r.mu.Unlock()
	return r.Store.Published(ctx, seqs)
}

// There is no high-water mark: a row whose transaction commits late has a
// smaller seq than rows that were published before.
func TestARowThatCommitsLateIsPublished(t *testing.T) {
	t.Parallel()
	brokers := fake(t).ListenAddrs()
	shop, topic := ordertest.NewShop(t), newTopic()
	shop.Product(t, "a", 1000, 10)
	shop.Product(t, "b", 1000, 10)
	reached, release := make(chan struct{}), make(chan struct{})
	slow := shop.Reopen(t, ordertest.WithConfig(func(c *postgres.Config) {
		c.Guard = func(context.Context) error {
			close(reached)
			<-release
			return nil
		}
	}))
	done := make(chan error, 1)
	late, early := uuid.New(), uuid.New()
	go func() {
		_, err := slow.CreateOrder(context.Background(), ordertest.Request(late, "CreateOrder"), ordertest.NewOrder(late, "a"))
		done <- err
	}()
	<-reached
	shop.Order(t, early, "b")
	start(t, shop.Store, brokers, topic)
	drained(t, shop)
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	drained(t, shop)
	log := read(t, brokers, topic)
	checkTopic(t, shop, log)
	if len(log) != 2 {
		t.Errorf("%d records", len(log))
	}
}

// The lease of a part is for efficiency: a second relay gets nothing while the
// first lives, and everything at once when it stops.
func TestPartsGoToAnotherRelayWhenOneStops(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	parts := func(holder string) []int16 {
		t.Helper()
		p, err := shop.Store.LeaseParts(t.Context(), holder, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(p)
		return p
	}
	if n := len(parts("one")); n != 16 {
		t.Fatalf("the first relay got %d parts", n)
	}
	if n := len(parts("two")); n != 0 {
		t.Errorf("the second relay got %d parts", n)
	}
	if n := len(parts("one")); n != 16 {
		t.Errorf("the first relay kept %d parts", n)
	}
	if err := shop.Store.ReleaseParts(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if n := len(parts("two")); n != 16 {
		t.Errorf("the second relay got %d parts", n)
	}
	var epochs int64
	if err := shop.DB.QueryRow(t.Context(), `SELECT sum(epoch) FROM outbox_leases`).Scan(&epochs); err != nil || epochs != 32 {
		t.Errorf("epochs sum to %d, %v", epochs, err)
	}
}

func TestACompactedTopicIsRefused(t *testing.T) {
	t.Parallel()
	brokers, topic := fake(t).ListenAddrs(), newTopic()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	compact := "compact"
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, topic); err != nil {
		t.Fatal(err)
	}
	if producer, err := events.Producers(brokers, topic, 1)(t.Context()); err == nil {
		producer.Close()
		t.Error("a topic that keeps one record of a key was accepted")
	}
}

func TestARelayNeedsEverySetting(t *testing.T) {
	t.Parallel()
	if _, err := events.NewRelay(events.Config{}); err == nil {
		t.Error("a relay of nothing was made")
	}
}
