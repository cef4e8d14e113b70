package events_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/services/orders/internal/events"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// stopping is an outbox that says when a batch was read and when its rows are
// to be deleted.
type stopping struct {
	*postgres.Store
	read, deleting func()
}

func (s *stopping) Unpublished(ctx context.Context, parts []int16, limit int) ([]events.Unpublished, error) {
	batch, err := s.Store.Unpublished(ctx, parts, limit)
	if len(batch) > 0 {
		s.read()
	}
	return batch, err
}

func (s *stopping) Published(ctx context.Context, seqs []int64) error {
	s.deleting()
	return s.Store.Published(ctx, seqs)
}

// A relay that is told to stop finishes the batch that it has begun.
func TestACleanStopPublishesNothingAgain(t *testing.T) {
	t.Parallel()
	brokers := fake(t).ListenAddrs()
	for _, name := range []string{"after the read", "before the delete"} {
		shop, topic := ordertest.NewShop(t), newTopic()
		trade(t, shop, 40)
		ctx, stop := context.WithCancel(t.Context())
		outbox := &stopping{shop.Store, stop, func() {}}
		if name == "before the delete" {
			outbox.read, outbox.deleting = outbox.deleting, outbox.read
		}
		relay := newRelay(t, outbox, brokers, topic)
		if err := relay.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if log := read(t, brokers, topic); len(log) == 0 {
			t.Errorf("stopped %s: the batch was not finished", name)
		}
		start(t, shop.Store, brokers, topic)
		drained(t, shop)
		log := read(t, brokers, topic)
		if again := checkTopic(t, shop, log); again != 0 {
			t.Errorf("stopped %s: %d of %d records came again", name, again, len(log))
		}
	}
}

// What is left is flushed, all versions of every order; an empty outbox needs
// no broker.
func TestAFlushEmptiesTheOutbox(t *testing.T) {
	t.Parallel()
	brokers := fake(t).ListenAddrs()
	shop, topic := ordertest.NewShop(t), newTopic()
	var made atomic.Int32
	relay := newRelay(t, shop.Store, brokers, topic, func(c *events.Config) {
		producers := c.NewProducer
		c.NewProducer = func(ctx context.Context) (*kgo.Client, error) {
			made.Add(1)
			return producers(ctx)
		}
	})
	trade(t, shop, 40)
	for range 2 {
		if err := relay.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	log := read(t, brokers, topic)
	if again := checkTopic(t, shop, log); again != 0 || len(log) != version(t, shop) || made.Load() != 1 {
		t.Errorf("%d records for %d changes, %d again, %d producers", len(log), version(t, shop), again, made.Load())
	}
}

var errNoBroker = errors.New("no broker")

// A broker that is away delays no stop and is not an error of it: the outbox
// keeps the events.
func TestAFlushWithoutABrokerLeavesTheOutboxAsItIs(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	shop.Order(t, uuid.New(), "a")
	relay := newRelay(t, shop.Store, nil, newTopic(), func(c *events.Config) {
		c.NewProducer = func(ctx context.Context) (*kgo.Client, error) {
			if d, ok := ctx.Deadline(); !ok || time.Until(d) > 2500*time.Millisecond {
				t.Errorf("a flush waits until %v", d)
			}
			return nil, errNoBroker
		}
	})
	if err := relay.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	shop.Until(t, `SELECT count(*) = 1 FROM outbox_events`)
}

// Between two failures a session that worked makes the pause short again.
func TestThePauseBetweenSessionsIsShortAgainAfterOneThatWorked(t *testing.T) {
	t.Parallel()
	brokers := fake(t).ListenAddrs()
	shop, topic := ordertest.NewShop(t), newTopic()
	ctx, stop := context.WithCancel(t.Context())
	outbox := &flapping{Store: shop.Store, stop: stop}
	relay := newRelay(t, outbox, brokers, topic, func(c *events.Config) { c.Poll = time.Millisecond })
	if err := relay.Run(ctx); err != nil {
		t.Fatal(err)
	}
	// A pause that was doubled that often is one of seconds, and one that was not has
	// some chance of being short on a machine with much else to do too.
	if shortest := slices.Min(outbox.pauses[12:]); shortest > 2*time.Second {
		t.Errorf("after 12 sessions the shortest pause is %v: %v", shortest, outbox.pauses)
	}
}

const flaps = 18

// flapping answers every other look at the outbox, of which there is one at a time.
type flapping struct {
	*postgres.Store
	looks  int
	failed time.Time
	pauses []time.Duration // from a failure to the next look, and so with the making of a session
	stop   func()
}

func (f *flapping) Unpublished(ctx context.Context, parts []int16, limit int) ([]events.Unpublished, error) {
	f.looks++
	if f.looks%2 == 0 {
		f.failed = time.Now()
		return nil, errDied
	}
	if f.looks > 1 {
		f.pauses = append(f.pauses, time.Since(f.failed))
	}
	if len(f.pauses) == flaps {
		f.stop()
	}
	return f.Store.Unpublished(ctx, parts, limit)
}
