package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// relaySession publishes with one producer until something fails.
type relaySession struct {
	outbox Outbox
	client *kgo.Client
	close  func()
}

func (r *Relay) newSession(ctx context.Context) (*relaySession, error) {
	client, err := r.cfg.NewProducer(ctx)
	if err != nil {
		return nil, fmt.Errorf("new producer: %w", err)
	}
	return &relaySession{outbox: r.cfg.Outbox, client: client, close: sync.OnceFunc(client.Close)}, nil
}

// session runs one session; worked says whether it got as far as looking at the outbox without a failure.
func (r *Relay) session(ctx context.Context) (worked bool, err error) {
	s, err := r.newSession(ctx)
	if err != nil {
		return false, err
	}
	defer s.close()
	own, cancel := outlive(ctx, stopLimit)
	defer cancel()
	var has bool
	var leased time.Time
	for ctx.Err() == nil {
		if time.Since(leased) > leaseRenewal {
			if has, err = r.cfg.Outbox.Lease(ctx, leaseTTL); err != nil {
				return worked, err
			}
			leased = time.Now()
		}
		read, sent := 0, 0
		if has {
			if read, sent, err = s.publish(own); err != nil {
				return worked, err
			}
		}
		worked = true
		switch {
		case read == 0:
			r.pause(ctx, r.wake, r.cfg.Poll)
		case read < relayBatch && sent == read: // else more is known to wait
			r.pause(ctx, nil, gather)
		}
	}
	return worked, nil
}

// publish sends one batch and deletes what was acknowledged, also when a record failed: what is sent again is only more
// work for consumers. It returns how many messages it read, and how many of them it sent.
func (s *relaySession) publish(ctx context.Context) (read, sent int, err error) {
	ctx, cancel := context.WithTimeout(ctx, batchLimit)
	defer cancel()
	// A record on the wire does not heed its context: only closing gives it up.
	defer context.AfterFunc(ctx, s.close)()
	batch, err := s.outbox.Unpublished(ctx, relayBatch)
	if err != nil || len(batch) == 0 {
		return 0, 0, err
	}
	read = len(batch)
	batch = firstOfEachKey(batch)
	acked, failed := s.send(ctx, batch)
	if len(acked) > 0 {
		if err := s.outbox.Published(ctx, acked); err != nil {
			return read, 0, err
		}
	}
	return read, len(acked), failed
}

func (s *relaySession) send(ctx context.Context, batch []Message) (acked []int64, failed error) {
	records := make([]*kgo.Record, len(batch))
	ids := make(map[*kgo.Record]int64, len(batch))
	for i, m := range batch {
		records[i] = m.Record
		ids[m.Record] = m.ID
	}
	for _, result := range s.client.ProduceSync(ctx, records...) {
		if result.Err != nil {
			failed = fmt.Errorf("produce: %w", result.Err)
			continue
		}
		acked = append(acked, ids[result.Record])
	}
	return acked, failed
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

// firstOfEachKey leaves later messages of a key to the next batch, so that none can be acknowledged before an earlier one
// whatever happens to it. Messages without a key have no order.
func firstOfEachKey(batch []Message) []Message {
	type line struct{ topic, key string }
	seen := make(map[line]bool, len(batch))
	kept := batch[:0]
	for _, m := range batch {
		if m.Record.Key != nil {
			at := line{m.Record.Topic, string(m.Record.Key)}
			if seen[at] {
				continue
			}
			seen[at] = true
		}
		kept = append(kept, m)
	}
	return kept
}
