// Package events publishes the changes of orders to Kafka, at least once, from
// the outbox that the changes themselves wrote.
//
// What a consumer may rely on: the first occurrences of an order are its
// versions in order, without a gap; an event may come again, also after a newer
// one. It holds with any number of relays that all believe to be the only one.
// It rests on two rules beside those of the relay: outbox rows are inserted after
// the order row is locked, and a relay reads by seq among what is unpublished,
// with no mark. The topic must not be compacted, and its number of partitions
// never changes.
package events

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
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

// Config of a relay.
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

// NewRelay returns a relay of the outbox with a random name for its leases.
func NewRelay(cfg Config) (*kafka.Relay, error) {
	if cfg.Outbox == nil || cfg.Topic == "" {
		return nil, errors.New("outbox relay: outbox and topic are required")
	}
	return kafka.NewRelay(kafka.RelayConfig{
		Outbox:      &share{outbox: cfg.Outbox, topic: cfg.Topic, holder: uuid.NewString()},
		NewProducer: cfg.NewProducer, Poll: cfg.Poll, Log: cfg.Log,
	})
}

// share is the parts of the outbox that one relay has leased.
type share struct {
	outbox Outbox
	topic  string
	holder string
	parts  []int16
}

// Lease implements kafka.Outbox.
func (s *share) Lease(ctx context.Context, ttl time.Duration) (bool, error) {
	parts, err := s.outbox.LeaseParts(ctx, s.holder, ttl)
	if err != nil {
		return false, err
	}
	s.parts = parts
	return len(parts) > 0, nil
}

// Unpublished implements kafka.Outbox.
func (s *share) Unpublished(ctx context.Context, limit int) ([]kafka.Message, error) {
	events, err := s.outbox.Unpublished(ctx, s.parts, limit)
	if err != nil {
		return nil, err
	}
	batch := make([]kafka.Message, len(events))
	for i := range events {
		record, err := encode(s.topic, &events[i].Event)
		if err != nil {
			return nil, err
		}
		batch[i] = kafka.Message{ID: events[i].Seq, Record: record}
	}
	return batch, nil
}

// Published implements kafka.Outbox.
func (s *share) Published(ctx context.Context, seqs []int64) error {
	return s.outbox.Published(ctx, seqs)
}

// Release implements kafka.Outbox.
func (s *share) Release(ctx context.Context) error { return s.outbox.ReleaseParts(ctx, s.holder) }
