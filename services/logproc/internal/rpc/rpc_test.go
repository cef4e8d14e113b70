package rpc

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	refusal "github.com/curfew-platform/curfew/pkg/interceptors/status"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/parent"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

func TestPagesShowEveryRecordOnceNewestFirst(t *testing.T) {
	d := newDesk(t)
	// Two of them at the same moment, across the boundaries of pages.
	d.store(t, 250, func(i int, r *record.Record) { r.Timestamp -= int64(i%2) * 1_000_000 })
	req := &logprocv1.SearchLogsRequest{PageSize: 99}
	var offsets []int64
	var last time.Time
	for {
		resp, err := d.logs.SearchLogs(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range resp.GetRecords() {
			if at := r.GetTimestamp().AsTime(); !last.IsZero() && at.After(last) {
				t.Fatalf("%v comes after %v", at, last)
			} else {
				last = at
			}
			offsets = append(offsets, r.GetPosition().GetOffset())
		}
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	slices.Sort(offsets)
	if len(offsets) != 250 || len(slices.Compact(offsets)) != 250 {
		t.Errorf("%d records, %d of them different", len(offsets), len(slices.Compact(offsets)))
	}
}

func TestFiltersOfASearch(t *testing.T) {
	d := newDesk(t)
	trace := slices.Repeat([]byte{0xab}, 16)
	d.store(t, 100, func(i int, r *record.Record) {
		switch i {
		case 7:
			r.SeverityNumber = 17
		case 8:
			r.Service = []byte("auth")
		case 9:
			r.Body = []byte("Something Special")
		case 10:
			r.TraceID = trace
		}
	})
	for name, c := range map[string]struct {
		filter *logprocv1.LogFilter
		offset int64
	}{
		"severity": {&logprocv1.LogFilter{MinSeverityNumber: 17}, 7},
		"service":  {&logprocv1.LogFilter{Service: "auth"}, 8},
		"text":     {&logprocv1.LogFilter{Text: "something s"}, 9},
		"trace":    {&logprocv1.LogFilter{TraceId: strings.Repeat("ab", 16)}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := d.logs.SearchLogs(t.Context(), &logprocv1.SearchLogsRequest{Filter: c.filter})
			if err != nil || len(resp.GetRecords()) != 1 || resp.GetRecords()[0].GetPosition().GetOffset() != c.offset {
				t.Errorf("found %v, %v", resp.GetRecords(), err)
			}
		})
	}
}

func wantReason(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	if status.Code(err) != code || refusal.Reason(err) != reason {
		t.Errorf("error is %v, want %v with %s", err, code, reason)
	}
}

func TestBadQuestionsHaveAReason(t *testing.T) {
	d := newDesk(t)
	wide := &logprocv1.SearchLogsRequest{
		Filter: &logprocv1.LogFilter{Text: "x"}, StartTime: timestamppb.New(noon.Add(-25 * time.Hour)), EndTime: timestamppb.New(noon),
	}
	_, err := d.logs.SearchLogs(t.Context(), wide)
	wantReason(t, err, codes.InvalidArgument, "TEXT_RANGE_TOO_WIDE")
	_, err = d.logs.SearchLogs(t.Context(), &logprocv1.SearchLogsRequest{StartTime: timestamppb.New(noon), EndTime: timestamppb.New(noon)})
	wantReason(t, err, codes.InvalidArgument, "TIME_RANGE_INVALID")
	d.store(t, 3, nil)
	first, err := d.logs.SearchLogs(t.Context(), &logprocv1.SearchLogsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	token := first.GetNextPageToken()
	_, err = d.logs.SearchLogs(t.Context(), &logprocv1.SearchLogsRequest{PageSize: 1, PageToken: token[:len(token)-2] + "xx"})
	wantReason(t, err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
	_, err = d.logs.SearchLogs(t.Context(), &logprocv1.SearchLogsRequest{PageSize: 1, PageToken: token, Filter: &logprocv1.LogFilter{Service: "auth"}})
	wantReason(t, err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
	_, err = d.pipe.ListDeadLetters(t.Context(), &logprocv1.ListDeadLettersRequest{PageToken: token})
	wantReason(t, err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
}

// tailStream takes what a tail sends.
type tailStream struct {
	grpc.ServerStreamingServer[logprocv1.TailLogsResponse]
	ctx  context.Context
	sent chan *logprocv1.TailLogsResponse
}

func (s *tailStream) Context() context.Context { return s.ctx }

func (s *tailStream) Send(m *logprocv1.TailLogsResponse) error {
	select {
	case s.sent <- m:
	case <-s.ctx.Done():
	}
	return s.ctx.Err()
}

// looks is a store of tails that tells when it was looked at.
type looks struct {
	query.TailStore
	seen chan<- struct{}
}

func (l looks) Heads(ctx context.Context) (map[ledger.Key]int64, error) {
	heads, err := l.TailStore.Heads(ctx)
	select {
	case l.seen <- struct{}{}:
	default:
	}
	return heads, err
}

// tail follows what is stored from now on: it returns when the tail has looked
// at the ledger, before which nothing counts as new.
func (d *desk) tail(t *testing.T) <-chan *logprocv1.TailLogsResponse {
	t.Helper()
	seen := make(chan struct{}, 1)
	d.logs.Tails = query.NewTails(looks{&postgres.Reader{Pool: d.pool, Group: "g"}, seen})
	ctx, cancel := context.WithCancel(t.Context())
	stream := &tailStream{ctx: ctx, sent: make(chan *logprocv1.TailLogsResponse)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(stream.sent)
		_ = d.logs.TailLogs(&logprocv1.TailLogsRequest{}, stream) // Canceled, or the test misses what it waits for.
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	select {
	case <-seen:
	case <-done:
		t.Fatal("the tail has ended")
	}
	return stream.sent
}

func TestATailShowsWhatIsStoredFromNowOnAndCountsWhatItSkips(t *testing.T) {
	d := newDesk(t)
	d.store(t, 5, nil)
	sent := d.tail(t)
	d.store(t, 700, nil)
	m := <-sent
	if len(m.GetRecords()) != 500 || m.GetSkipped() != 200 || m.GetRecords()[0].GetPosition().GetOffset() != 5 {
		t.Errorf("%d records, %d skipped", len(m.GetRecords()), m.GetSkipped())
	}
}

func TestDeadLettersAndPartitionsAreListedInPages(t *testing.T) {
	d := newDesk(t)
	b := &batch.Batch{Parts: []batch.Part{{Lease: d.lease, To: 3, Dead: 3}}}
	for i := range int64(3) {
		id := encode.Identity{Topic: "logs", TopicID: topicID, Offset: i, Timestamp: noon.UnixMicro()}
		b.Dead = append(b.Dead, batch.NewDeadLetter(id, []byte("raw"), batch.Refused, "refused: x (SQLSTATE 23514)"))
	}
	d.commit(t, b)
	d.pipe.Status = func() parent.Status { return parent.Status{Owners: map[ledger.Key]int{{Topic: "logs"}: 2}} }
	d.pipe.Lag = func(context.Context, map[ledger.Key]int64) map[ledger.Key]int64 {
		return map[ledger.Key]int64{{Topic: "logs"}: 7}
	}
	var names []string
	req := &logprocv1.ListDeadLettersRequest{PageSize: 2}
	for {
		resp, err := d.pipe.ListDeadLetters(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range resp.GetDeadLetters() {
			names = append(names, l.GetName())
			if l.GetReason() != logprocv1.DeadLetterReason_DEAD_LETTER_REASON_REFUSED || l.GetSize() != 3 {
				t.Errorf("letter %v", l)
			}
		}
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "deadLetters/logs~0~2 deadLetters/logs~0~1 deadLetters/logs~0~0" {
		t.Errorf("listed %s", got)
	}
	resp, err := d.pipe.ListPartitions(t.Context(), &logprocv1.ListPartitionsRequest{})
	if err != nil || len(resp.GetPartitions()) != 1 {
		t.Fatalf("partitions %v, %v", resp, err)
	}
	if p := resp.GetPartitions()[0]; p.GetNextOffset() != 3 || p.GetOwnerSlot() != 2 || p.GetLag() != 7 || p.GetEpoch() != 1 {
		t.Errorf("partition %v", p)
	}
}
