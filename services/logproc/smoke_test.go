package logproc

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestRecordsOfAForeignProducerAreStoredOnceEach(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	b.topic(t, "logs", 16)
	var records []*kgo.Record
	for n := range 20_000 {
		records = append(records, jsonRecord(int32(n%16), n))
	}
	b.produce(t, "logs", records...)
	p := b.start(t, "logs")
	b.awaitStored(t, "logs", 20_000)
	line, numbers := p.stop(t)
	t.Log(line)
	if numbers[0] != 20_000 || numbers[1] != 20_000 || numbers[6] != 0 {
		t.Errorf("the line does not add up: %s", line)
	}
	if n := b.count(t, "SELECT count(DISTINCT (kafka_partition, kafka_offset)) FROM logs"); n != 20_000 {
		t.Errorf("%d different records are stored", n)
	}
	if n := b.count(t, "SELECT sum(next_off)::bigint FROM ledger"); n != 20_000 {
		t.Errorf("the ledger is at %d", n)
	}
}
