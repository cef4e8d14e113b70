package logproc

import (
	"maps"
	"slices"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// poisoned fills a partition with records of which one is value, and its
// neighbour partition with others.
func poisoned(t *testing.T, b *bed, topic string, value string) (records int64) {
	t.Helper()
	b.topic(t, topic, 2)
	var list []*kgo.Record
	for n := range 600 {
		r := jsonRecord(int32(n%2), n)
		if n == 200 {
			r.Value = []byte(value)
		}
		list = append(list, r)
	}
	b.produce(t, topic, list...)
	return 600
}

func TestARecordThatPanicsIsADeadLetterAndOnlyThat(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	records := poisoned(t, b, "panics", panicMark)
	p := b.start(t, "panics", "--workers", "2")
	b.awaitStored(t, "panics", records)
	line, numbers := p.stop(t)
	if numbers[6] != 0 {
		t.Errorf("lost: %s", line)
	}
	b.judge(t, "panics")
	if n := b.count(t, "SELECT count(*) FROM dead_letters"); n != 1 {
		t.Errorf("%d dead letters", n)
	}
	if n := b.count(t, "SELECT count(*) FROM dead_letters WHERE kafka_offset = 100 AND reason = 'crashed' AND detail LIKE '%this record explodes%' AND raw = $1", []byte(panicMark)); n != 1 {
		t.Error("the dead letter does not hold the record and what it caused")
	}
}

func TestARecordThatBurnsCPUIsADeadLetter(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	records := poisoned(t, b, "spins", spinMark)
	p := b.start(t, "spins", "--workers", "2", "--isolation-cpu", "300ms")
	// A normal worker that spins is ended from outside: by the supervisor in a
	// minute, here by the test. That alone is evidence of nothing.
	kill := func() {
		for _, pid := range p.workers() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	b.awaitStored(t, "spins", records/2)
	kill()
	eventually(t, "the partition was taken again", func() bool {
		return b.count(t, "SELECT coalesce(max(epoch), 0) FROM ledger WHERE partition = 0") >= 2
	})
	if n := b.count(t, "SELECT max(evidence)::bigint FROM ledger"); n != 0 {
		t.Errorf("a SIGKILL from outside counts as evidence: %d", n)
	}
	kill()
	b.awaitStored(t, "spins", records)
	p.stop(t)
	b.judge(t, "spins")
	if n := b.count(t, "SELECT count(*) FROM dead_letters WHERE kafka_offset = 100 AND reason = 'crashed' AND detail LIKE '%CPU time%'"); n != 1 {
		t.Error("the record is no dead letter")
	}
	if n := b.count(t, "SELECT count(*) FROM dead_letters"); n != 1 {
		t.Errorf("%d dead letters", n)
	}
}
