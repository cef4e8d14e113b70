// Package events publishes the changes of orders to Kafka, at least once, from
// the outbox that the changes themselves wrote.
//
// What a consumer may rely on: the first occurrences of an order are its
// versions in order, without a gap; an event may come again, also after a newer
// one. It holds with any number of relays that all believe to be the only one.
// It rests on five rules: outbox rows are inserted after the order row is
// locked; a relay reads by seq among what is unpublished, with no mark; one
// idempotent producer per session; a failed record ends batch and session;
// exactly what was acknowledged is deleted. The topic must not be compacted,
// and its number of partitions never changes.
package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Outbox holds the unpublished events; internal/postgres is one.
type Outbox interface {
	LeaseParts(ctx context.Context, holder string, ttl time.Duration) ([]int16, error)
	ReleaseParts(ctx context.Context, holder string) error
	Unpublished(ctx context.Context, parts []int16, limit int) ([]Unpublished, error)
	Published(ctx context.Context, seqs []int64) error
}

// Unpublished is an event that is still in the outbox.
type Unpublished struct {
	Seq   int64
	Event order.Event
}

// Config of a Relay.
type Config struct {
	Outbox Outbox
	Topic  string
	// NewProducer returns the producer of a session, which the relay closes; ctx
	// bounds the making only. It must be idempotent and wait for all in-sync replicas.
	NewProducer func(ctx context.Context) (*kgo.Client, error)
	// Poll is how often an empty outbox is looked at.
	Poll time.Duration
	Log  *slog.Logger
}

const (
	leaseTTL     = 10 * time.Second
	leaseRenewal = 3 * time.Second
	batchOfPart  = 200
	// gather is the pause after a batch that was not full: the first event of a
	// quiet shop leaves at once, those of a busy one leave together. A batch costs
	// the database and the broker about the same whatever its size.
	gather = 20 * time.Millisecond
	// maxBackoff after failures of the broker or the database.
	maxBackoff = 5 * time.Second
	// batchLimit bounds one batch, from the rows read to the rows deleted;
	// stopLimit what is left of it once the relay stops.
	batchLimit = 20 * time.Second
	stopLimit  = 3 * time.Second
	// flushLimit and releaseLimit together stay below the 2.5 s that a stop
	// leaves to phase Commit in any case.
	flushLimit   = 2 * time.Second
	releaseLimit = 400 * time.Millisecond
)

// Relay publishes the outbox. Run it once, and flush it when Run has returned
// and nothing is committed any more.
type Relay struct {
	cfg    Config
	holder string
	wake   chan struct{}
}

// NewRelay returns a Relay with a random name for its leases.
func NewRelay(cfg Config) (*Relay, error) {
	if cfg.Outbox == nil || cfg.Topic == "" || cfg.NewProducer == nil || cfg.Poll <= 0 || cfg.Log == nil {
		return nil, errors.New("outbox relay: every setting is required")
	}
	return &Relay{cfg: cfg, holder: uuid.NewString(), wake: make(chan struct{}, 1)}, nil
}

// Wake makes the relay look at the outbox at once. It never blocks.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends; a batch that is on its way then is finished,
// for what is acknowledged and not deleted would be published again. Failures
// are logged and tried again: the outbox keeps what the broker does not take.
func (r *Relay) Run(ctx context.Context) error {
	defer r.release(ctx)
	backoff := r.cfg.Poll
	for ctx.Err() == nil {
		worked, err := r.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if worked {
			backoff = r.cfg.Poll
		}
		r.cfg.Log.WarnContext(ctx, "outbox relay starts a new session", "error", err)
		r.pause(ctx, r.wake, backoff)
		backoff = min(2*backoff, maxBackoff)
	}
	return nil
}

// Flush publishes what was committed while Run was ending and after it, of the
// parts that nobody else has taken. What the broker does not take within 2 s
// stays in the outbox for another relay; that is logged and no error.
func (r *Relay) Flush(ctx context.Context) error {
	defer r.release(ctx)
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if err := r.flush(ctx); err != nil {
		r.cfg.Log.WarnContext(ctx, "events stay in the outbox", "error", err)
	}
	return nil
}

func (r *Relay) flush(ctx context.Context) error {
	parts, err := r.cfg.Outbox.LeaseParts(ctx, r.holder, leaseTTL)
	if err != nil {
		return err
	}
	// An empty outbox needs no broker.
	if batch, err := r.cfg.Outbox.Unpublished(ctx, parts, 1); err != nil || len(batch) == 0 {
		return err
	}
	p, err := r.newProducer(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	for {
		if n, err := r.publish(ctx, p, parts); err != nil || n == 0 {
			return err
		}
	}
}

// session publishes with one producer until something fails; worked says
// whether it got as far as looking at the outbox without a failure.
func (r *Relay) session(ctx context.Context) (worked bool, err error) {
	p, err := r.newProducer(ctx)
	if err != nil {
		return false, err
	}
	defer p.close()
	own, cancel := outlive(ctx, stopLimit)
	defer cancel()
	var parts []int16
	var leased time.Time
	for ctx.Err() == nil {
		if time.Since(leased) > leaseRenewal {
			if parts, err = r.cfg.Outbox.LeaseParts(ctx, r.holder, leaseTTL); err != nil {
				return worked, err
			}
			leased = time.Now()
		}
		n, err := r.publish(own, p, parts)
		if err != nil {
			return worked, err
		}
		worked = true
		switch {
		case n == 0:
			r.pause(ctx, r.wake, r.cfg.Poll)
		case n < batchOfPart:
			r.pause(ctx, nil, gather)
		}
	}
	return worked, nil
}

// producer is the producer of one session.
type producer struct {
	*kgo.Client
	close func()
}

func (r *Relay) newProducer(ctx context.Context) (*producer, error) {
	client, err := r.cfg.NewProducer(ctx)
	if err != nil {
		return nil, fmt.Errorf("new producer: %w", err)
	}
	return &producer{client, sync.OnceFunc(client.Close)}, nil
}

// publish sends one batch and deletes what was acknowledged, also when a record
// failed: what is sent again is only more work for consumers.
func (r *Relay) publish(ctx context.Context, p *producer, parts []int16) (int, error) {
	if len(parts) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, batchLimit)
	defer cancel()
	// A record on the wire does not heed its context: only closing gives it up.
	defer context.AfterFunc(ctx, p.close)()
	batch, err := r.cfg.Outbox.Unpublished(ctx, parts, batchOfPart)
	if err != nil {
		return 0, err
	}
	batch = firstOfEachOrder(batch)
	if len(batch) == 0 {
		return 0, nil
	}
	acked, failed := send(ctx, p.Client, r.cfg.Topic, batch)
	if len(acked) > 0 {
		if err := r.cfg.Outbox.Published(ctx, acked); err != nil {
			return 0, err
		}
	}
	return len(acked), failed
}

// outlive returns a context that ends so much later than ctx.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return own, func() {
		stop()
		cancel()
	}
}

// firstOfEachOrder leaves later versions of an order to the next batch, so that
// none can be acknowledged before an earlier one whatever happens to it.
func firstOfEachOrder(events []Unpublished) []Unpublished {
	seen := make(map[uuid.UUID]bool, len(events))
	kept := events[:0]
	for _, e := range events {
		if !seen[e.Event.Order] {
			seen[e.Event.Order] = true
			kept = append(kept, e)
		}
	}
	return kept
}

func send(ctx context.Context, producer *kgo.Client, topic string, batch []Unpublished) (acked []int64, failed error) {
	records := make([]*kgo.Record, 0, len(batch))
	bySeq := make(map[*kgo.Record]int64, len(batch))
	for _, e := range batch {
		record, err := encode(topic, &e.Event)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
		bySeq[record] = e.Seq
	}
	for _, result := range producer.ProduceSync(ctx, records...) {
		if result.Err != nil {
			failed = fmt.Errorf("produce: %w", result.Err)
			continue
		}
		acked = append(acked, bySeq[result.Record])
	}
	return acked, failed
}

func (r *Relay) pause(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}

// release hands the parts over, so that another replica need not wait for the
// lease to end.
func (r *Relay) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	if err := r.cfg.Outbox.ReleaseParts(ctx, r.holder); err != nil {
		r.cfg.Log.DebugContext(ctx, "parts of the outbox not released", "error", err)
	}
}
