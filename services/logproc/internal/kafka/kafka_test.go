package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
	"github.com/curfew-platform/curfew/services/logproc/internal/fetch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(kafkatest.Runner{M: m}) }

var key = ledger.Key{Topic: "logs"}

// patience bounds every wait, for a busy machine.
const patience = time.Minute

func cluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "logs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func produce(t *testing.T, c *kfake.Cluster, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range n {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "logs", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func source(t *testing.T, c *kfake.Cluster) *Source {
	t.Helper()
	s, err := NewSource(c.ListenAddrs())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func poll(t *testing.T, s *Source) []fetch.Chunk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return s.Poll(ctx, 1000)
}

func TestASourceReadsFromTheGivenOffsetAndNotWhatWasRemoved(t *testing.T) {
	c := cluster(t)
	produce(t, c, 10)
	s := source(t, c)
	s.Add([]fetch.Start{{Key: key, Offset: 6}})
	chunks := poll(t, s)
	if len(chunks) != 1 || len(chunks[0].Records) != 4 || chunks[0].Records[0].Offset != 6 {
		t.Fatalf("chunks %+v", chunks)
	}
	s.Remove([]ledger.Key{key})
	produce(t, c, 5)
	s.Add([]fetch.Start{{Key: key, Offset: 2}})
	chunks = poll(t, s)
	if len(chunks) == 0 || len(chunks[0].Records) == 0 || chunks[0].Records[0].Offset != 2 {
		t.Errorf("after it was set back the reader begins with %+v", chunks)
	}
}

func TestASourceOutOfRangeIsAnErrorAndNeverAReset(t *testing.T) {
	c := cluster(t)
	produce(t, c, 3)
	s := source(t, c)
	s.Add([]fetch.Start{{Key: key, Offset: 100}})
	for _, chunk := range poll(t, s) {
		if chunk.Err == nil || len(chunk.Records) > 0 {
			t.Errorf("out of range gives %+v", chunk)
		}
	}
}

func TestAHeartbeatIsAnsweredOnlyToTheMemberOfItsGeneration(t *testing.T) {
	c := cluster(t)
	var assigned atomic.Int32
	m, err := Join(MemberConfig{
		Brokers: c.ListenAddrs(), Group: "g", InstanceID: "pod-0", Topics: []string{"logs"}, SessionTimeout: 6 * time.Second,
		Assigned: func(context.Context, []ledger.Key) { assigned.Add(1) },
		Revoked:  func(context.Context, []ledger.Key) {},
		Log:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for assigned.Load() == 0 {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("no assignment")
		}
	}
	if err := m.Heartbeat(t.Context()); err != nil {
		t.Errorf("heartbeat of the member: %v", err)
	}
	generation := m.Generation()
	if err := m.Commit(t.Context(), generation, map[ledger.Key]int64{key: 7}); err != nil {
		t.Errorf("commit of the member: %v", err)
	}
	for _, other := range []int32{-1, generation - 1, generation + 1} {
		// Positions that were noted before a rebalance.
		if err := m.Commit(t.Context(), other, map[ledger.Key]int64{key: 3}); !errors.Is(err, errGeneration) {
			t.Errorf("commit of positions of generation %d in generation %d: %v", other, generation, err)
		}
	}
	committed, err := kadm.NewClient(m.client).FetchOffsets(t.Context(), "g")
	if o, ok := committed.Lookup("logs", 0); err != nil || !ok || o.At != 7 {
		t.Errorf("the group is at %v, %v", o, err)
	}
	c.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.RebalanceInProgress.Code
		return resp, nil, true
	})
	if err := m.Heartbeat(t.Context()); err == nil {
		t.Error("a heartbeat during a rebalance counts as answered")
	}
}

func TestOpenings(t *testing.T) {
	c := cluster(t)
	produce(t, c, 10)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumerGroup("old"), kgo.ConsumeTopics("logs"), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	fetches := client.PollRecords(t.Context(), 4)
	if err := client.CommitRecords(t.Context(), fetches.Records()...); err != nil {
		t.Fatal(err)
	}
	client.Close()
	got := map[string]int64{}
	for _, start := range []string{"earliest", "latest", "group:old"} {
		openings, err := Openings(t.Context(), c.ListenAddrs(), "logs", start)
		if err != nil {
			t.Fatalf("%s: %v", start, err)
		}
		got[start] = openings[0].Offset
	}
	if diff := cmp.Diff(map[string]int64{"earliest": 0, "latest": 10, "group:old": 4}, got); diff != "" {
		t.Errorf("openings (-want +got):\n%s", diff)
	}
	if _, err := Openings(t.Context(), c.ListenAddrs(), "logs", "group:mistyped"); err == nil {
		t.Error("a group that does not exist opens the topic")
	}
	if openings, err := Openings(t.Context(), c.ListenAddrs(), "absent", "earliest"); err != nil || len(openings) != 0 {
		t.Errorf("a topic that does not exist opens %v, %v", openings, err)
	}
}

func TestATopicThatCannotBeDescribedIsNotOpened(t *testing.T) {
	c := cluster(t)
	c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked := req.(*kmsg.MetadataRequest)
		if len(asked.Topics) == 0 {
			return nil, nil, false
		}
		resp := asked.ResponseKind().(*kmsg.MetadataResponse)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = new("logs"), kerr.TopicAuthorizationFailed.Code
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	// Without an error it would begin at 0 for good, once it is described.
	if openings, err := Openings(t.Context(), c.ListenAddrs(), "logs", "latest"); err == nil {
		t.Errorf("it opens %v", openings)
	}
}
