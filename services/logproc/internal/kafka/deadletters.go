package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/services/logproc/internal/deadletter"
)

// Producer writes dead letters to a topic. Safe for concurrent use.
type Producer struct {
	client *kgo.Client
	topic  string
	log    *slog.Logger
	exists atomic.Bool
}

// NewProducer returns a producer for a topic, which is made if it is not there.
// security is how the brokers are reached.
func NewProducer(brokers []string, topic string, log *slog.Logger, security ...kgo.Opt) (*Producer, error) {
	client, err := kgo.NewClient(append(security,
		kgo.SeedBrokers(brokers...),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchMaxBytes(maxBatch),
		kgo.DisableClientMetrics(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("dead-letter producer: %w", err)
	}
	return &Producer{client: client, topic: topic, log: log}, nil
}

const (
	// maxBatch is below what a broker takes by default (message.max.bytes): the
	// client does not split a batch that was refused.
	maxBatch = 1_000_000
	// keptOfRefused is what is sent of one that the broker found too large.
	keptOfRefused = 1 << 10
)

// Produce returns when every letter is acknowledged by the in-sync replicas, or
// is too large for the broker even without its value: that one is logged and
// left to the table, so that it does not keep the others.
func (p *Producer) Produce(ctx context.Context, letters []deadletter.Letter) error {
	if err := p.ensure(ctx); err != nil {
		return err
	}
	records := make([]*kgo.Record, len(letters))
	place := make(map[*kgo.Record]*deadletter.Letter, len(letters))
	for i := range letters {
		records[i] = p.record(&letters[i], deadletter.KeptOfRaw)
		place[records[i]] = &letters[i]
	}
	var failed error
	for _, result := range p.client.ProduceSync(ctx, records...) {
		err := result.Err
		if errors.Is(err, kerr.MessageTooLarge) {
			err = p.alone(ctx, place[result.Record])
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return fmt.Errorf("produce dead letters: %w", failed)
	}
	return nil
}

// alone produces a letter of a batch that was too large: as it is, then cut.
func (p *Producer) alone(ctx context.Context, l *deadletter.Letter) error {
	for _, kept := range []int{deadletter.KeptOfRaw, keptOfRefused} {
		err := p.client.ProduceSync(ctx, p.record(l, kept)).FirstErr()
		if !errors.Is(err, kerr.MessageTooLarge) {
			return err
		}
	}
	p.log.WarnContext(ctx, "a dead letter is too large for the broker, it is in the table only", "id", l.ID,
		"topic", l.Topic, "partition", l.Partition, "offset", l.Offset, "leader_epoch", l.LeaderEpoch)
	return nil
}

// record is a letter with at most kept bytes of each of its texts. Header
// truncated says whether the value is less than the table has.
func (p *Producer) record(l *deadletter.Letter, kept int) *kgo.Record {
	return &kgo.Record{
		Topic: p.topic, Key: l.Key(), Value: l.Raw[:min(len(l.Raw), kept)],
		Headers: []kgo.RecordHeader{
			{Key: "topic", Value: []byte(l.Topic)},
			{Key: "partition", Value: strconv.AppendInt(nil, int64(l.Partition), 10)},
			{Key: "offset", Value: strconv.AppendInt(nil, l.Offset, 10)},
			{Key: "leader_epoch", Value: strconv.AppendInt(nil, int64(l.LeaderEpoch), 10)},
			{Key: "topic_id", Value: []byte(l.TopicID.String())},
			{Key: "reason", Value: []byte(l.Reason)},
			{Key: "detail", Value: []byte(l.Detail[:min(len(l.Detail), kept)])},
			{Key: "truncated", Value: strconv.AppendBool(nil, l.Size > int64(min(len(l.Raw), kept)))},
		},
	}
}

// ensure makes the topic with the broker's defaults, once.
func (p *Producer) ensure(ctx context.Context) error {
	if p.exists.Load() {
		return nil
	}
	_, err := kadm.NewClient(p.client).CreateTopic(ctx, brokerDefault, brokerDefault, nil, p.topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make topic %s: %w", p.topic, err)
	}
	p.exists.Store(true)
	return nil
}

// brokerDefault leaves partitions and replicas to the broker (KIP-464).
const brokerDefault = -1

// Close closes the client; what is not acknowledged is produced again later.
func (p *Producer) Close() { p.client.Close() }
