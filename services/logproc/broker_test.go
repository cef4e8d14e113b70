package logproc

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
)

// onBothBrokers runs a test against the fake and against Apache Kafka.
func onBothBrokers(t *testing.T, test func(t *testing.T, b *bed, topic string)) {
	t.Run("kfake", func(t *testing.T) { test(t, newBed(t, fakeBrokers(t)), "logs") })
	t.Run("apache kafka", func(t *testing.T) {
		test(t, newBed(t, kafkatest.Brokers(t)), fmt.Sprintf("logs-%d", time.Now().UnixNano()))
	})
}

func numbered(from, to int) (records []*kgo.Record) {
	for n := from; n < to; n++ {
		records = append(records, jsonRecord(0, n))
	}
	return records
}

func TestATopicMadeAgainIsReadFromItsBeginning(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, b *bed, topic string) {
		b.topic(t, topic, 1)
		b.produce(t, topic, numbered(0, 100)...)
		p := b.start(t, topic)
		eventually(t, "the first topic is stored", func() bool { return b.stored(t, topic) == 100 })
		if _, err := b.admin.DeleteTopic(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the topic is made again", func() bool {
			_, err := b.admin.CreateTopic(t.Context(), 1, 1, nil, topic)
			return err == nil
		})
		second, err := kgo.NewClient(kgo.SeedBrokers(b.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		records := numbered(100, 150)
		for _, r := range records {
			r.Topic = topic
		}
		if err := second.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the second topic is stored too", func() bool { return b.stored(t, topic) == 150 })
		eventually(t, "the group offset is that of the second topic", func() bool {
			offsets, err := b.admin.FetchOffsets(t.Context(), "g-"+topic)
			o, ok := offsets.Lookup(topic, 0)
			return err == nil && ok && o.At == 50
		})
		p.stop(t)
		if n := b.count(t, "SELECT count(DISTINCT topic_id) FROM logs"); n != 2 {
			t.Errorf("records of %d topic ids", n)
		}
		if n := b.count(t, "SELECT count(*) FROM ledger_events WHERE kind = 'recreated' AND from_off = 100 AND to_off = 0"); n != 1 {
			t.Errorf("%d events", n)
		}
		if n := b.count(t, "SELECT next_off FROM ledger"); n != 50 {
			t.Errorf("the ledger is at %d", n)
		}
	})
}

func TestRecordsThatRetentionTookAreARecordedGap(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, b *bed, topic string) {
		b.topic(t, topic, 1)
		p := b.start(t, topic)
		p.stop(t)
		b.produce(t, topic, numbered(0, 100)...)
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, 40, -1)
		if _, err := b.admin.DeleteRecords(t.Context(), offsets); err != nil {
			t.Fatal(err)
		}
		p = b.start(t, topic)
		eventually(t, "what is left is stored", func() bool { return b.stored(t, topic) == 60 })
		p.stop(t)
		if n := b.count(t, "SELECT count(*) FROM ledger_events WHERE kind = 'gap' AND from_off = 0 AND to_off = 40"); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

func TestOnlyCommittedTransactionsAreStoredAndThePositionPassesTheirEnds(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, b *bed, topic string) {
		b.topic(t, topic, 1)
		client, err := kgo.NewClient(kgo.SeedBrokers(b.brokers...), kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			records := numbered(10*i, 10*i+10)
			for _, r := range records {
				r.Topic = topic
			}
			if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := client.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		p := b.start(t, topic)
		eventually(t, "the position is at the end of the log", func() bool {
			return b.count(t, "SELECT coalesce(max(next_off), 0) FROM ledger") == 44
		})
		if line, numbers := p.stop(t); numbers[0] != 20 || numbers[1] != 20 {
			t.Errorf("the line does not add up: %s", line)
		}
	})
}

func TestSIGTERMAtFullSpeedEndsInALineThatAddsUpAndASuccessorStoresTheRest(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, b *bed, topic string) {
		const records = 200_000
		b.topic(t, topic, 16)
		var list []*kgo.Record
		for n := range records {
			list = append(list, jsonRecord(int32(n%16), n))
		}
		b.produce(t, topic, list...)
		p := b.start(t, topic)
		eventually(t, "it reads at full speed", func() bool { return b.stored(t, topic) > 0 })
		begun := time.Now()
		line, numbers := p.stop(t)
		t.Logf("%v: %s", time.Since(begun), line)
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit status %d", code)
		}
		if rows := b.stored(t, topic); rows != numbers[1] || numbers[6] != 0 {
			t.Errorf("%d rows, but %s", rows, line)
		}
		p = b.start(t, topic)
		b.awaitStored(t, topic, records)
		p.stop(t)
		b.judge(t, topic)
	})
}

func TestTheGroupOffsetsOfLagToolsFollowTheDatabase(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	b.topic(t, "logs", 1)
	b.produce(t, "logs", numbered(0, 100)...)
	p := b.start(t, "logs")
	eventually(t, "the group offset is what is stored", func() bool {
		offsets, err := b.admin.FetchOffsets(t.Context(), "g-logs")
		o, ok := offsets.Lookup("logs", 0)
		return err == nil && ok && o.At == 100
	})
	p.stop(t)
}

func TestAnIdleSystemThatShipsItsOwnLogsGoesQuiet(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	b.topic(t, "logs", 4)
	p := b.start(t, "logs", "--log-kafka-brokers", b.brokers[0], "--log-kafka-topic", "logs", "--revocation", "none")
	p.ready(t)
	eventually(t, "its own lines are stored", func() bool { return b.stored(t, "logs") > 0 })
	quiet := b.end(t, "logs")
	since := time.Now()
	eventually(t, "no line has come for three seconds", func() bool {
		if end := b.end(t, "logs"); end != quiet {
			quiet, since = end, time.Now()
		}
		return time.Since(since) > 3*time.Second
	})
	p.stop(t)
}

// end is the number of records in a topic.
func (b *bed) end(t *testing.T, topic string) (sum int64) {
	t.Helper()
	ends, err := b.admin.ListEndOffsets(context.WithoutCancel(t.Context()), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}
