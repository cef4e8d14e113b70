package logproc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
)

// faultSize is how many records and how many SIGKILLs; half as many processes
// are frozen, and half as many are told to stop, in between.
type faultSize struct{ records, kills int }

func sized(ci, soak faultSize) faultSize {
	if os.Getenv("CURFEW_TEST_SIZE") == "soak" {
		return soak
	}
	return ci
}

func TestEveryRecordOfARealKafkaIsStoredOnceWhileProcessesDie(t *testing.T) {
	b := newBed(t, kafkatest.Brokers(t))
	faults(t, b, sized(faultSize{300_000, 8}, faultSize{1_000_000, 20}))
}

func TestEveryRecordOfAFakeKafkaIsStoredOnceWhileProcessesDie(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	faults(t, b, sized(faultSize{60_000, 4}, faultSize{300_000, 20}))
}

// faults runs two pods while a foreign producer fills 16 partitions and
// processes of both die, stop and freeze. In the end the oracle asks the broker
// and the database, not the pipeline.
func faults(t *testing.T, b *bed, size faultSize) {
	const partitions = 16
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	topic := fmt.Sprintf("faults-%d", seed)
	b.topic(t, topic, partitions)
	start := func(pod int) *program {
		return b.start(t, topic, "--instance-id", fmt.Sprintf("pod-%d", pod), "--workers", "4")
	}
	pods := []*program{start(0), start(1)}
	produced := make(chan error, 1)
	var sent atomic.Int64
	go func() { produced <- b.fill(t.Context(), topic, partitions, size.records, &sent) }()
	schedule := scheduled(random, size.kills)
	for n, kind := range schedule {
		// The faults are spread over the input.
		mark := int64(size.records) * int64(n+1) / int64(len(schedule)+2)
		eventually(t, "the input goes on", func() bool { return sent.Load() >= mark })
		pod := random.IntN(len(pods))
		t.Logf("fault %d at %d records: %s of pod %d", n+1, mark, strike(t, random, pods[pod], kind), pod)
		if ended(pods[pod]) {
			pods[pod] = start(pod)
		}
	}
	if err := <-produced; err != nil {
		t.Fatal(err)
	}
	for i := range pods {
		if ended(pods[i]) {
			pods[i] = start(i)
		}
	}
	b.awaitStored(t, topic, int64(size.records))
	for _, p := range pods {
		line, numbers := p.stop(t)
		t.Log(line)
		if lost := numbers[6]; lost != 0 {
			t.Errorf("lost: %s", line)
		}
	}
	b.judge(t, topic)
}

func ended(p *program) bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// scheduled is a random order of kills, freezes and orderly stops.
func scheduled(random *rand.Rand, kills int) []syscall.Signal {
	var schedule []syscall.Signal
	for n := range kills {
		schedule = append(schedule, syscall.SIGKILL)
		if n%2 == 0 {
			schedule = append(schedule, syscall.SIGSTOP, syscall.SIGTERM)
		}
	}
	random.Shuffle(len(schedule), func(i, j int) { schedule[i], schedule[j] = schedule[j], schedule[i] })
	return schedule
}

// strike sends a signal to the parent or to one worker of a pod and waits for
// what belongs to it.
func strike(t *testing.T, random *rand.Rand, p *program, sig syscall.Signal) string {
	t.Helper()
	var workers []int
	eventually(t, "the pod has workers", func() bool {
		workers = p.workers()
		return len(workers) > 0
	})
	if random.IntN(3) == 0 {
		p.signal(sig)
		if sig != syscall.SIGSTOP {
			<-p.done
			return sig.String() + ", the parent"
		}
		// Longer than a takeover: the group gives its partitions away.
		await(t.Context(), 8*time.Second)
		p.signal(syscall.SIGCONT)
		return sig.String() + ", the parent"
	}
	pid := workers[random.IntN(len(workers))]
	_ = syscall.Kill(pid, sig)
	if sig == syscall.SIGSTOP {
		await(t.Context(), time.Second)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	return sig.String() + ", a worker"
}

// await lets time pass that is part of the fault.
func await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// fill produces records as a foreign producer does: in bursts, over some seconds.
func (b *bed) fill(ctx context.Context, topic string, partitions, records int, sent *atomic.Int64) error {
	const burst = 5000
	for first := 0; first < records; first += burst {
		batch := make([]*kgo.Record, 0, burst)
		for n := first; n < min(first+burst, records); n++ {
			r := jsonRecord(int32(n%partitions), n)
			r.Topic = topic
			batch = append(batch, r)
		}
		if err := b.client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
			return err
		}
		sent.Add(int64(len(batch)))
		await(ctx, 150*time.Millisecond)
	}
	return nil
}

// judge compares what the broker holds with what the database holds.
func (b *bed) judge(t *testing.T, topic string) {
	t.Helper()
	ends, err := b.admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	const offsets = `SELECT kafka_partition, kafka_offset FROM logs WHERE kafka_topic = $1
		UNION ALL SELECT kafka_partition, kafka_offset FROM dead_letters WHERE kafka_topic = $1`
	for _, end := range ends.Offsets().Sorted() {
		held := end.At
		rows := b.count(t, "SELECT count(*) FROM ("+offsets+") AS r WHERE kafka_partition = $2", topic, end.Partition)
		distinct := b.count(t, "SELECT count(DISTINCT kafka_offset) FROM ("+offsets+") AS r WHERE kafka_partition = $2 AND kafka_offset < $3", topic, end.Partition, held)
		next := b.count(t, "SELECT next_off FROM ledger WHERE topic = $1 AND partition = $2", topic, end.Partition)
		accounted := b.count(t, "SELECT coalesce(sum(stored + dead), 0)::bigint FROM batches WHERE topic = $1 AND partition = $2", topic, end.Partition)
		if rows != held || distinct != held || next != held || accounted != held {
			t.Errorf("partition %d: kafka holds %d, rows %d, different offsets %d, ledger %d, batches %d", end.Partition, held, rows, distinct, next, accounted)
		}
	}
}
