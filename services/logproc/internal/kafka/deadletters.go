package kafka

import (
	"context"
	"errors"
	"fmt"
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
	exists atomic.Bool
}

// NewProducer returns a producer for a topic, which is made if it is not there.
func NewProducer(brokers []string, topic string) (*Producer, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.DefaultProduceTopic(topic),
		// A dead letter is at most as large as a log record may be.
		kgo.ProducerBatchMaxBytes(maxLetter),
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return nil, fmt.Errorf("dead-letter producer: %w", err)
	}
	return &Producer{client: client, topic: topic}, nil
}

// maxLetter leaves room for headers beside the largest value.
const maxLetter = 9 << 20

// keptOfRaw is what is sent of a value: brokers take a megabyte by default, and
// the table has the rest.
const keptOfRaw = 512 << 10

// Produce returns when every letter is acknowledged by the in-sync replicas.
func (p *Producer) Produce(ctx context.Context, letters []deadletter.Letter) error {
	if err := p.ensure(ctx); err != nil {
		return err
	}
	records := make([]*kgo.Record, len(letters))
	for i := range letters {
		l := &letters[i]
		records[i] = &kgo.Record{
			Topic: p.topic, Key: l.Key(), Value: l.Raw[:min(len(l.Raw), keptOfRaw)],
			Headers: []kgo.RecordHeader{
				{Key: "topic", Value: []byte(l.Topic)},
				{Key: "partition", Value: strconv.AppendInt(nil, int64(l.Partition), 10)},
				{Key: "offset", Value: strconv.AppendInt(nil, l.Offset, 10)},
				{Key: "leader_epoch", Value: strconv.AppendInt(nil, int64(l.LeaderEpoch), 10)},
				{Key: "topic_id", Value: []byte(l.TopicID.String())},
				{Key: "reason", Value: []byte(l.Reason)},
				{Key: "detail", Value: []byte(l.Detail)},
			},
		}
	}
	if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce dead letters: %w", err)
	}
	return nil
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
