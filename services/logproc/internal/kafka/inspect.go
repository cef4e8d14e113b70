package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

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
	starts, ends, epochEnds, err := s.ask(ctx, topics, epochs)
	if err != nil {
		return nil, err
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
			CurrentEpoch: now.leaderEpoch, EpochEnd: -1, EpochOfEnd: -1,
		}
		if log.TopicID == uuid.Nil {
			return nil, errNoTopicID
		}
		if l.LeaderEpoch >= 0 {
			answer, ok := epochEnds[l.Topic][l.Partition]
			if !ok || answer.Err != nil {
				continue
			}
			log.EpochEnd, log.EpochOfEnd = answer.EndOffset, answer.LeaderEpoch
		}
		logs[l.Key] = log
	}
	return logs, nil
}

// askTimeout bounds the questions to the leaders, so that one that does not
// answer leaves time for the rest.
const askTimeout = 2 * time.Second

// ask asks all leaders at once. One that does not answer is missing from the
// answers; it is an error only if none does.
func (s *Source) ask(ctx context.Context, topics []string, epochs kadm.OffsetForLeaderEpochRequest) (
	starts, ends kadm.ListedOffsets, epochEnds kadm.OffsetsForLeaderEpochs, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var startErr, endErr, epochErr error
	var questions errgroup.Group
	questions.SetLimit(3)
	questions.Go(func() error { starts, startErr = s.admin.ListStartOffsets(ctx, topics...); return nil })
	questions.Go(func() error { ends, endErr = s.admin.ListEndOffsets(ctx, topics...); return nil })
	if len(epochs) > 0 {
		questions.Go(func() error { epochEnds, epochErr = s.admin.OffsetForLeaderEpoch(ctx, epochs); return nil })
	}
	_ = questions.Wait() // each error has its own meaning
	for what, err := range map[string]error{"log starts": startErr, "log ends": endErr, "leader epochs": epochErr} {
		if shards, ok := errors.AsType[*kadm.ShardErrors](err); err != nil && (!ok || shards.AllFailed) {
			return nil, nil, nil, fmt.Errorf("inspect: %s: %w", what, err)
		}
	}
	return starts, ends, epochEnds, nil
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
