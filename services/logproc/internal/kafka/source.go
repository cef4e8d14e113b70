// Package kafka speaks to Kafka: as the reader of a worker, as the parent's
// group member, and as the producer of the dead-letter topic.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/services/logproc/internal/fetch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// Memory of a worker's reader: a fetch is at most fetchBytes, unless a single
// batch is larger, and at most two are held.
const (
	fetchBytes          = 8 << 20
	fetchPartitionBytes = 4 << 20
	maxFetches          = 2
	fetchWait           = 250 * time.Millisecond
	metadataAge         = 30 * time.Second
)

// Source reads partitions from given offsets and never from anywhere else: it
// does not reset, follow a group or guess. Not safe for concurrent use, except
// that a context ends a Poll.
type Source struct {
	client *kgo.Client
	admin  *kadm.Client
}

// NewSource returns a reader of nothing yet. security is how the brokers are
// reached.
func NewSource(brokers []string, security ...kgo.Opt) (*Source, error) {
	client, err := kgo.NewClient(append(security,
		kgo.SeedBrokers(brokers...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// They take offsets: without them a position would stay below the end
		// of a transactional topic for ever.
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.FetchMaxWait(fetchWait),
		kgo.MaxConcurrentFetches(maxFetches),
		kgo.MetadataMaxAge(metadataAge),
		kgo.DisableClientMetrics(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return &Source{client: client, admin: kadm.NewClient(client)}, nil
}

// Close closes the client. It belongs to no group, so nothing is waited for.
func (s *Source) Close() { s.client.Close() }

// Add begins to read partitions.
func (s *Source) Add(starts []fetch.Start) {
	add := map[string]map[int32]kgo.Offset{}
	for _, st := range starts {
		if add[st.Key.Topic] == nil {
			add[st.Key.Topic] = map[int32]kgo.Offset{}
		}
		// With an epoch the client asks where that epoch ends and reads from
		// exactly there; without one it would clamp the offset into the log.
		add[st.Key.Topic][st.Key.Partition] = kgo.NewOffset().At(st.Offset).WithEpoch(st.LeaderEpoch)
	}
	s.client.AddConsumePartitions(add)
}

// Remove ends the reading of partitions; what was fetched of them and not
// polled is dropped.
func (s *Source) Remove(keys []ledger.Key) {
	remove := map[string][]int32{}
	for _, k := range keys {
		remove[k.Topic] = append(remove[k.Topic], k.Partition)
	}
	s.client.RemoveConsumePartitions(remove)
}

// Forget drops everything that is known of a topic: after it was made again the
// client refuses its new id until then. Add its partitions again.
func (s *Source) Forget(topic string) { s.client.PurgeTopicsFromClient(topic) }

// Poll returns up to limit records, or nothing when ctx ends.
func (s *Source) Poll(ctx context.Context, limit int) []fetch.Chunk {
	var chunks []fetch.Chunk
	for _, f := range s.client.PollRecords(ctx, limit) {
		for _, t := range f.Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				if p.Err != nil && (errors.Is(p.Err, context.Canceled) || errors.Is(p.Err, context.DeadlineExceeded)) {
					continue
				}
				chunks = append(chunks, chunk(&t, p))
			}
		}
	}
	return chunks
}

func chunk(t *kgo.FetchTopic, p *kgo.FetchPartition) fetch.Chunk {
	c := fetch.Chunk{
		Key:     ledger.Key{Topic: t.Topic, Partition: p.Partition},
		TopicID: uuid.UUID(t.TopicID),
		Err:     p.Err,
		Records: make([]fetch.Record, len(p.Records)),
	}
	for i, r := range p.Records {
		c.Records[i] = fetch.Record{
			Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: micros(r),
			Value: r.Value, Control: r.Attrs.IsControl(),
		}
	}
	return c
}

// micros is Kafka's time of a record, -1 if it has none.
func micros(r *kgo.Record) int64 {
	if r.Timestamp.UnixMilli() < 0 {
		return -1
	}
	return r.Timestamp.UnixMicro()
}
