package kafka

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

func TestInspectAsksWhereTheLeaderEpochEnds(t *testing.T) {
	c := cluster(t)
	produce(t, c, 10)
	s := source(t, c)
	// As after an unclean election: the old epoch ends below the position.
	c.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked := req.(*kmsg.OffsetForLeaderEpochRequest)
		resp := asked.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = "logs"
		partition := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
		partition.LeaderEpoch, partition.EndOffset = 1, 4
		topic.Partitions = append(topic.Partitions, partition)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	logs, err := s.Inspect(t.Context(), []ledger.Lease{{Key: key, Next: 8, LeaderEpoch: 3}})
	if err != nil {
		t.Fatal(err)
	}
	log := logs[key]
	if log.EpochEnd != 4 || log.EpochOfEnd != 1 || log.End != 10 || log.Start != 0 {
		t.Errorf("log %+v", log)
	}
	// It does not name the epoch that was asked about.
	lease := ledger.Lease{Key: key, TopicID: log.TopicID, Next: 8, LeaderEpoch: 3}
	if !log.Forgotten(lease) {
		t.Error("a log that names an older epoch is taken as it was")
	}
	if lease.LeaderEpoch = 1; log.Forgotten(lease) {
		t.Error("a log that names the asked epoch counts as cut")
	}
	if found := ledger.Check(lease, log, false); found.Kind != ledger.Truncated || found.Next != 4 {
		t.Errorf("finding %+v", found)
	}
}

func TestABrokerThatDoesNotAnswerKeepsNoOtherPartition(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(2, "logs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for partition := range int32(2) {
		if err := c.MoveTopicPartition("logs", partition, partition); err != nil {
			t.Fatal(err)
		}
	}
	c.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, errors.New("out of order"), c.CurrentNode() == 1
	})
	s := source(t, c)
	leases := []ledger.Lease{{Key: key, LeaderEpoch: -1}, {Key: ledger.Key{Topic: "logs", Partition: 1}, LeaderEpoch: -1}}
	logs, err := s.Inspect(t.Context(), leases)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := logs[key]; !ok || len(logs) != 1 {
		t.Errorf("described are %v", logs)
	}
}
