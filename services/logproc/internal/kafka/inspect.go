package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"

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
	details, err := s.admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("inspect: metadata: %w", err)
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
	logs := make(map[ledger.Key]ledger.Log, len(leases))
	for _, l := range leases {
		topic := details[l.Topic]
		partition, ok := topic.Partitions[l.Partition]
		start, ok1 := starts.Lookup(l.Topic, l.Partition)
		end, ok2 := ends.Lookup(l.Topic, l.Partition)
		if topic.Err != nil || !ok || !ok1 || !ok2 || partition.Err != nil || start.Err != nil || end.Err != nil {
			continue
		}
		log := ledger.Log{
			TopicID: uuid.UUID(topic.ID), Start: start.Offset, End: end.Offset,
			CurrentEpoch: partition.LeaderEpoch, EpochEnd: -1,
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
