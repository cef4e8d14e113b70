package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// errNoTopicID says that the broker is older than Kafka 3.1, whose topics have
// no id: a topic that was made again could not be told from the old one.
var errNoTopicID = errors.New("the broker gives topics no ids: Kafka 3.1 or later is needed")

// Inspect asks what the logs of the leases look like now. A partition that
// Kafka does not describe is missing from the answer: ask again later.
func (s *Source) Inspect(ctx context.Context, leases []ledger.Lease) (map[ledger.Key]ledger.Log, error) {
	var topics []string
	var epochs kadm.OffsetForLeaderEpochRequest
	seen := map[string]bool{}
	for _, l := range leases {
		if !seen[l.Topic] {
			seen[l.Topic] = true
			topics = append(topics, l.Topic)
		}
		if l.LeaderEpoch >= 0 {
			epochs.Add(l.Topic, l.Partition, l.LeaderEpoch)
		}
	}
	before, err := s.describe(ctx, topics)
	if err != nil {
		return nil, err
	}
	starts, err := s.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("inspect: log starts: %w", err)
	}
	ends, err := s.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("inspect: log ends: %w", err)
	}
	var epochEnds kadm.OffsetsForLeaderEpochs
	if len(epochs) > 0 {
		if epochEnds, err = s.admin.OffsetForLeaderEpoch(ctx, epochs); err != nil {
			return nil, fmt.Errorf("inspect: leader epochs: %w", err)
		}
	}
	// Four questions are not one answer: what was asked while a topic was made
	// again, or a leader changed, says nothing.
	after, err := s.describe(ctx, topics)
	if err != nil {
		return nil, err
	}
	logs := make(map[ledger.Key]ledger.Log, len(leases))
	for _, l := range leases {
		now, ok := after[l.Key]
		if !ok || now != before[l.Key] {
			continue
		}
		start, ok1 := starts.Lookup(l.Topic, l.Partition)
		end, ok2 := ends.Lookup(l.Topic, l.Partition)
		if !ok1 || !ok2 || start.Err != nil || end.Err != nil {
			continue
		}
		log := ledger.Log{
			TopicID: now.topicID, Start: start.Offset, End: end.Offset,
			CurrentEpoch: now.leaderEpoch, EpochEnd: -1,
		}
		if log.TopicID == uuid.Nil {
			return nil, errNoTopicID
		}
		if l.LeaderEpoch >= 0 {
			answer, ok := epochEnds[l.Topic][l.Partition]
			if !ok || answer.Err != nil {
				continue
			}
			log.EpochEnd = answer.EndOffset
		}
		logs[l.Key] = log
	}
	return logs, nil
}

// identity is what makes two answers about a partition belong together.
type identity struct {
	topicID     uuid.UUID
	leaderEpoch int32
}

// describe asks a broker, not the client's memory of an earlier answer.
func (s *Source) describe(ctx context.Context, topics []string) (map[ledger.Key]identity, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, s.client)
	if err != nil {
		return nil, fmt.Errorf("inspect: metadata: %w", err)
	}
	found := map[ledger.Key]identity{}
	for _, t := range resp.Topics {
		if t.Topic == nil || t.ErrorCode != 0 {
			continue
		}
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				found[ledger.Key{Topic: *t.Topic, Partition: p.Partition}] = identity{uuid.UUID(t.TopicID), p.LeaderEpoch}
			}
		}
	}
	return found, nil
}
