package rpc

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// messageLimit is what a gRPC client takes by default.
const messageLimit = 4 << 20

// large makes every third record one of many megabytes, in the widest
// characters.
func large(i int, r *record.Record) {
	if i%3 == 0 {
		r.Body = bytes.Repeat([]byte("\U0001F4A5"), 1_500_000)
		r.Raw = make([]byte, 3<<20)
		r.Attributes = append(append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), 1<<20)...), `"}`...)
	}
}

func TestLargeRecordsAreShownCutOnPagesThatFitIntoAMessage(t *testing.T) {
	d := newDesk(t)
	d.store(t, 10, large)
	req := &logprocv1.SearchLogsRequest{}
	var offsets []int64
	for {
		resp, err := d.logs.SearchLogs(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if n := proto.Size(resp); n > messageLimit {
			t.Errorf("a page of %d bytes", n)
		}
		for _, r := range resp.GetRecords() {
			offset := r.GetPosition().GetOffset()
			offsets = append(offsets, offset)
			if cut := offset%3 == 0; cut != r.GetTruncated() || cut && (len(r.GetBody()) != 4*262144 || len(r.GetRaw()) != 262144) {
				t.Errorf("offset %d: truncated %v, body of %d, raw of %d bytes", offset, r.GetTruncated(), len(r.GetBody()), len(r.GetRaw()))
			}
		}
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	if !slices.Equal(offsets, []int64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}) {
		t.Errorf("offsets %v", offsets)
	}
}

func TestATailOfLargeRecordsFitsIntoAMessage(t *testing.T) {
	d := newDesk(t)
	sent := d.tail(t)
	d.store(t, 10, large)
	m := <-sent
	if n := proto.Size(m); n > messageLimit || len(m.GetRecords()) == 0 || int64(len(m.GetRecords()))+m.GetSkipped() != 10 {
		t.Errorf("a message of %d bytes with %d records, %d skipped", n, len(m.GetRecords()), m.GetSkipped())
	}
}

func TestLargeDeadLettersAreShownCutOnPagesThatFitIntoAMessage(t *testing.T) {
	d := newDesk(t)
	b := &batch.Batch{Parts: []batch.Part{{Lease: d.lease, To: 7, Dead: 7}}}
	for i := range int64(7) {
		id := encode.Identity{Topic: "logs", TopicID: topicID, Offset: i, Timestamp: noon.UnixMicro()}
		b.Dead = append(b.Dead, batch.NewDeadLetter(id, make([]byte, 6<<20), batch.Refused, "refused: x (SQLSTATE 23514)"))
	}
	d.commit(t, b)
	found := 0
	req := &logprocv1.ListDeadLettersRequest{}
	for {
		resp, err := d.pipe.ListDeadLetters(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if n := proto.Size(resp); n > messageLimit {
			t.Errorf("a page of %d bytes", n)
		}
		found += len(resp.GetDeadLetters())
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	if found != 7 {
		t.Errorf("%d letters", found)
	}
}
