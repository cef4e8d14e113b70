package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// groupPrefix begins a start position that is another group's.
const groupPrefix = "group:"

// ValidStart says whether s is a start position: earliest, latest or group:NAME.
func ValidStart(s string) bool {
	return s == "earliest" || s == "latest" || strings.HasPrefix(s, groupPrefix) && len(s) > len(groupPrefix)
}

// Openings returns where the partitions of a topic that exist now begin; none
// if the topic does not exist. A group that does not exist is an error where the
// broker says so: the name may be mistyped. A group without an offset for a partition begins
// at its log start, and a position outside of the log at its nearest end.
// security is how the brokers are reached.
func Openings(ctx context.Context, brokers []string, topic, start string, security ...kgo.Opt) ([]ledger.Opening, error) {
	client, err := kgo.NewClient(append(security, kgo.SeedBrokers(brokers...), kgo.DisableClientMetrics())...)
	if err != nil {
		return nil, fmt.Errorf("start offsets: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	details, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("start offsets: %w", err)
	}
	switch err := details[topic].Err; {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil, nil
	case err != nil:
		// It may exist, and would begin at 0 for good.
		return nil, fmt.Errorf("start offsets: topic %s: %w", topic, err)
	case len(details[topic].Partitions) == 0:
		return nil, fmt.Errorf("start offsets: topic %s is not described", topic)
	}
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("start offsets: %w", err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("start offsets: %w", err)
	}
	var committed kadm.OffsetResponses
	if other, ok := strings.CutPrefix(start, groupPrefix); ok {
		if committed, err = admin.FetchOffsets(ctx, other); err != nil {
			return nil, fmt.Errorf("offsets of group %s: %w", other, err)
		}
	}
	var openings []ledger.Opening
	for partition := range details[topic].Partitions {
		low, ok1 := starts.Lookup(topic, partition)
		high, ok2 := ends.Lookup(topic, partition)
		if !ok1 || !ok2 || low.Err != nil || high.Err != nil {
			return nil, fmt.Errorf("start offsets: %s/%d is not described", topic, partition)
		}
		o := ledger.Opening{Key: ledger.Key{Topic: topic, Partition: partition}, TopicID: uuid.UUID(details[topic].ID), Offset: low.Offset}
		if start == "latest" {
			o.Offset = high.Offset
		}
		if c, ok := committed.Lookup(topic, partition); ok && c.Err == nil && c.At >= 0 {
			o.Offset = min(max(c.At, low.Offset), high.Offset)
		}
		openings = append(openings, o)
	}
	return openings, nil
}

// lag is how many records each log has above next.
func lag(ctx context.Context, client *kgo.Client, next map[ledger.Key]int64) map[ledger.Key]int64 {
	var topics []string
	seen := map[string]bool{}
	for key := range next {
		if !seen[key.Topic] {
			seen[key.Topic] = true
			topics = append(topics, key.Topic)
		}
	}
	out := map[ledger.Key]int64{}
	if len(topics) == 0 {
		return out
	}
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return out
	}
	for key, n := range next {
		if end, ok := ends.Lookup(key.Topic, key.Partition); ok && end.Err == nil {
			out[key] = max(0, end.Offset-n)
		}
	}
	return out
}
