package logproc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestHostileRecordsAreStoredOrDeadLetteredAndCostNoNeighbour(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	b.topic(t, "hostile", 1)
	huge := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	values := [][]byte{
		[]byte(`{"msg":"first"}`),
		huge,
		[]byte("nul \x00 byte"),
		{0xff, 0xfe, 0x00, 0x01, 0x80},
		{},
		nil,
		[]byte(`{"msg":"cut`),
		[]byte(`{"msg":"escaped \u0000 nul \ud800"}`),
		[]byte(strings.Repeat("[", 5000)),
		[]byte(`{"a":` + strings.Repeat(`{"a":`, 5000)),
		[]byte(`{"time":"9999999-99-99","level":7,"msg":{"not":"text"}}`),
		[]byte(`<999>1 - - - - - -`),
		[]byte(`last=one is=logfmt`),
	}
	for _, v := range values {
		b.produce(t, "hostile", &kgo.Record{Value: v, Timestamp: time.UnixMilli(1_790_000_000_000)})
	}
	p := b.start(t, "hostile")
	b.awaitStored(t, "hostile", int64(len(values)))
	if line, numbers := p.stop(t); numbers[0] != int64(len(values)) || numbers[2] != 1 || numbers[6] != 0 {
		t.Errorf("the line does not add up: %s", line)
	}
	body := func(offset int) *string {
		var s *string
		if err := b.pool.QueryRow(t.Context(), "SELECT body FROM logs WHERE kafka_offset = $1", offset).Scan(&s); err != nil {
			t.Fatalf("offset %d: %v", offset, err)
		}
		return s
	}
	for offset, want := range map[int]string{
		0: "first", 2: "nul \uFFFD byte", 3: "\uFFFD\uFFFD\uFFFD\x01\uFFFD", 4: "", 6: `{"msg":"cut`, 12: "last=one is=logfmt",
	} {
		if got := body(offset); got == nil || *got != want {
			t.Errorf("body at %d is %v, want %q", offset, got, want)
		}
	}
	if body(5) != nil {
		t.Error("a tombstone has a body")
	}
	if n := b.count(t, "SELECT count(*) FROM logs WHERE kafka_offset IN (2, 3, 6) AND raw IS NOT NULL"); n != 3 {
		t.Errorf("%d of 3 originals are kept", n)
	}
	if n := b.count(t, "SELECT count(*) FROM logs WHERE kafka_offset IN (6, 8, 9) AND parse_error <> '' AND raw IS NOT NULL"); n < 2 {
		t.Errorf("%d parse errors are noted", n)
	}
	var reason string
	var raw, sum []byte
	var size int64
	err := b.pool.QueryRow(t.Context(), "SELECT reason, raw, size, sha256 FROM dead_letters WHERE kafka_offset = 1").Scan(&reason, &raw, &size, &sum)
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(huge)
	if reason != "too_large" || len(raw) != 64<<10 || size != int64(len(huge)) || !bytes.Equal(sum, want[:]) {
		t.Errorf("the large record is kept as %s, %d of %d bytes", reason, len(raw), size)
	}
}

func TestARowThatPostgresRefusesIsADeadLetterAndItsNeighboursAreStored(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	b.topic(t, "refused", 2)
	if _, err := b.pool.Exec(t.Context(), "ALTER TABLE logs ADD CHECK (body NOT LIKE 'refuse%')"); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for n := range 2000 {
		r := jsonRecord(int32(n%2), n)
		if n == 700 || n == 701 || n == 1999 {
			r.Value = []byte("refuse me")
		}
		records = append(records, r)
	}
	b.produce(t, "refused", records...)
	p := b.start(t, "refused")
	b.awaitStored(t, "refused", 2000)
	eventually(t, "the dead-letter topic has them", func() bool {
		return b.count(t, "SELECT count(*) FROM dead_letters WHERE published_at IS NOT NULL") == 3
	})
	if line, numbers := p.stop(t); numbers[1] != 1997 || numbers[2] != 3 || numbers[6] != 0 {
		t.Errorf("the line does not add up: %s", line)
	}
	b.judge(t, "refused")
	if n := b.count(t, "SELECT count(*) FROM dead_letters WHERE reason = 'refused' AND detail LIKE '%23514%'"); n != 3 {
		t.Errorf("%d dead letters name the SQLSTATE", n)
	}
	want := []string{"refused/0/350", "refused/1/350", "refused/1/999"}
	if diff := cmp.Diff(want, b.deadLetterTopic(t, "refused.dlq", 3)); diff != "" {
		t.Errorf("the dead-letter topic (-want +got):\n%s", diff)
	}
}

// deadLetterTopic reads n records of a dead-letter topic and returns where they
// come from, sorted by key; a repeat counts once.
func (b *bed) deadLetterTopic(t *testing.T, topic string, n int) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := map[string]bool{}
	for len(found) < n && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			h := map[string]string{}
			for _, header := range r.Headers {
				h[header.Key] = string(header.Value)
			}
			found[h["topic"]+"/"+h["partition"]+"/"+h["offset"]] = true
		})
	}
	return sorted(found)
}
