package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Outbox holds messages that were written in the transactions that they tell of, until a [Relay] has published them.
// Several relays may share what is behind it, each with an Outbox of its own that takes leases on a part of the whole.
// An Outbox is used by one goroutine at a time.
type Outbox interface {
	// Lease takes or renews leases for so long, and reports whether this relay has any.
	Lease(ctx context.Context, ttl time.Duration) (bool, error)
	// Unpublished returns messages of what is leased, oldest first, at most so many.
	Unpublished(ctx context.Context, limit int) ([]Message, error)
	// Published deletes messages, exactly these.
	Published(ctx context.Context, ids []int64) error
	// Release gives the leases back, so that another relay need not wait for their end.
	Release(ctx context.Context) error
}

// Message is a record that waits in an outbox. The order of messages matters among those with the same topic and
// key; a nil key is none, and such messages have no order.
type Message struct {
	ID     int64
	Record *kgo.Record
}

// RelayConfig is what a [Relay] is made of. Everything is required.
type RelayConfig struct {
	Outbox Outbox
	// NewProducer returns the producer of a session, which the relay closes; ctx bounds the making only. It must be
	// idempotent and wait for all in-sync replicas.
	NewProducer func(ctx context.Context) (*kgo.Client, error)
	// Poll is how often an empty outbox is looked at.
	Poll time.Duration
	Log  *slog.Logger
}

const (
	leaseTTL     = 10 * time.Second
	leaseRenewal = 3 * time.Second
	relayBatch   = 200
	// gather is the pause after a batch that was all there was: the first message of a quiet process leaves at once, those of
	// a busy one leave together. A batch costs the database and the broker about the same whatever its size.
	gather = 20 * time.Millisecond
	// maxBackoff after failures of the broker or the outbox.
	maxBackoff = 5 * time.Second
	// batchLimit bounds one batch, from its messages read to its messages deleted; stopLimit what is left of it once the
	// relay stops.
	batchLimit = 20 * time.Second
	stopLimit  = 3 * time.Second
	// flushLimit and releaseLimit together stay below the 2.5 s that a stop leaves to phase lifecycle.Commit in any case.
	flushLimit   = 2 * time.Second
	releaseLimit = 400 * time.Millisecond
)

// Relay publishes an outbox, at least once. Consumers get the first occurrences of the messages of a key in their order,
// without a gap; a message may come again, also after a newer one. That holds with any number of relays, even if all of
// them believe to hold every lease, because one idempotent producer serves one session, a record that fails ends the
// batch and the session, no batch has two messages of a key, and exactly what was acknowledged is deleted.
//
// [AddRelay] runs it. Without a group, run it once, and flush it when Run has returned.
type Relay struct {
	cfg  RelayConfig
	wake chan struct{}
	turn chan struct{} // held by whoever uses the outbox
}

// NewRelay returns a Relay.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if cfg.Outbox == nil || cfg.NewProducer == nil || cfg.Poll <= 0 || cfg.Log == nil {
		return nil, errors.New("kafka: a relay needs every setting")
	}
	return &Relay{cfg: cfg, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}, nil
}

// AddRelay adds a relay to g.
//
//	drain   the batch on its way is finished, within 3 s
//	commit  what was written to the outbox until then, by the last calls, is published, within 2 s
//
// What the broker does not take stays in the outbox for another relay, or for the next start: that is logged, and no
// error of the stop.
func AddRelay(g *lifecycle.Group, name string, r *Relay) error {
	if g == nil || r == nil {
		return errors.New("kafka: group and relay are required")
	}
	if err := add(g, lifecycle.Part{Name: name + "/flush", Phase: lifecycle.Commit, Stop: r.Flush}); err != nil {
		return err
	}
	g.Go(name, r.Run)
	return nil
}

// Wake makes the relay look at the outbox at once. It never blocks.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends; a batch that is on its way then is finished, for what is acknowledged and not deleted
// would be published again. Failures are logged and tried again: the outbox keeps what the broker does not take.
func (r *Relay) Run(ctx context.Context) error {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
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

// Flush publishes what was written while Run was ending and after it, of what nobody else has leased. What the broker
// does not take within 2 s stays in the outbox; that is logged and no error.
func (r *Relay) Flush(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	select {
	case r.turn <- struct{}{}:
	case <-limited.Done(): // the outbox does not answer Run, so it has nothing for us
		r.cfg.Log.WarnContext(ctx, "messages stay in the outbox", "error", context.Cause(limited))
		return nil
	}
	defer func() { <-r.turn }()
	defer r.release(ctx)
	if err := r.flush(limited); err != nil {
		r.cfg.Log.WarnContext(ctx, "messages stay in the outbox", "error", err)
	}
	return nil
}

func (r *Relay) flush(ctx context.Context) error {
	leased, err := r.cfg.Outbox.Lease(ctx, leaseTTL)
	if err != nil || !leased {
		return err
	}
	// An empty outbox needs no broker.
	if batch, err := r.cfg.Outbox.Unpublished(ctx, 1); err != nil || len(batch) == 0 {
		return err
	}
	s, err := r.newSession(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		if n, _, err := s.publish(ctx); err != nil || n == 0 {
			return err
		}
	}
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

func (r *Relay) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	if err := r.cfg.Outbox.Release(ctx); err != nil {
		r.cfg.Log.DebugContext(ctx, "leases of the outbox not released", "error", fmt.Errorf("release: %w", err))
	}
}
