package feedgrpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// reports are what the other servers said.
type reports struct {
	list []feed.Report
	put  feed.Report
	err  error
}

func (r *reports) Put(_ context.Context, report feed.Report) error { r.put = report; return r.err }

func (r *reports) List(context.Context) ([]feed.Report, error) { return r.list, r.err }

// lost is a directory behind a network that loses everything.
type lost struct{}

func (lost) Put(ctx context.Context, _ feed.Report) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (lost) List(context.Context) ([]feed.Report, error) { return nil, nil }

// The next report comes after it, and the others see an old one until then.
func TestAReportThatGetsNoAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := feed.New(feed.Config{Store: feedtest.NewMemory(), Replica: "auth", Incarnation: "own"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if err := New(engine, lost{}).Report(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

func newListing(t *testing.T, r *reports) *Service {
	t.Helper()
	engine, err := feed.New(feed.Config{Store: feedtest.NewMemory(), Replica: "auth", Incarnation: "own"})
	if err != nil {
		t.Fatal(err)
	}
	return New(engine, r)
}

func TestTheWatchersOfAllServersAreListedPageByPage(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	other := feed.Report{Server: feed.RowKey{Replica: "auth", Incarnation: "other"}, At: at, Receipts: []feed.Receipt{{Seq: 1}, {Seq: 3}}}
	third := feed.Report{Server: feed.RowKey{Replica: "auth", Incarnation: "third"}, At: at, Receipts: []feed.Receipt{{Seq: 2}}}
	for _, id := range []string{"a", "b", "c"} {
		other.Watchers = append(other.Watchers, feed.Watcher{Principal: "services/orders", ReplicaID: id, Incarnation: id, AckedSeq: 7, LeaseUntil: at})
	}
	third.Watchers = []feed.Watcher{{Principal: "services/orders", ReplicaID: "b", Incarnation: "b"}} // it has just moved
	own := feed.Report{Server: feed.RowKey{Replica: "auth", Incarnation: "own"}, At: at, Watchers: []feed.Watcher{{ReplicaID: "what it was"}}}
	s := newListing(t, &reports{list: []feed.Report{other, own, third}})
	var got []string
	request := &revocationv1.ListRevocationReplicasRequest{PageSize: 1}
	for pages := 0; ; pages++ {
		r, err := s.ListRevocationReplicas(t.Context(), request)
		if err != nil || pages > 10 {
			t.Fatal(pages, err)
		}
		for _, w := range r.GetReplicas() {
			got = append(got, w.GetReplicaId()+" at "+w.GetServer())
			if !w.GetAsOf().AsTime().Equal(at) {
				t.Errorf("%v", w)
			}
		}
		if pages == 0 && (len(r.GetLastReceipts()) != 3 || r.GetLastReceipts()[0].GetSeq() != 3) {
			t.Errorf("receipts %v", r.GetLastReceipts())
		}
		if request.PageToken = r.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
	}
	if want := []string{"a at other", "b at other", "b at third", "c at other"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

func TestAPageIsOf100WatchersUnlessItIsSaidAndOf1000AtMost(t *testing.T) {
	other := feed.Report{Server: feed.RowKey{Replica: "auth", Incarnation: "other"}, Receipts: []feed.Receipt{{Seq: 1}}}
	for i := range 1500 {
		other.Watchers = append(other.Watchers, feed.Watcher{Principal: "services/orders", ReplicaID: fmt.Sprintf("%04d", i), Incarnation: "x"})
	}
	s := newListing(t, &reports{list: []feed.Report{other}})
	for asked, want := range map[int32]int{0: 100, 7: 7, 5000: 1000} {
		first, err := s.ListRevocationReplicas(t.Context(), &revocationv1.ListRevocationReplicasRequest{PageSize: asked})
		if err != nil || len(first.GetReplicas()) != want || len(first.GetLastReceipts()) != 1 {
			t.Fatalf("of %d asked there are %d, %v", asked, len(first.GetReplicas()), err)
		}
		next, err := s.ListRevocationReplicas(t.Context(), &revocationv1.ListRevocationReplicasRequest{PageSize: asked, PageToken: first.GetNextPageToken()})
		if err != nil || len(next.GetReplicas()) != min(want, 1500-want) || next.GetReplicas()[0].GetReplicaId() != fmt.Sprintf("%04d", want) || len(next.GetLastReceipts()) != 0 {
			t.Errorf("then %d, %v", len(next.GetReplicas()), err)
		}
	}
}

func TestAListThatWouldLackServersIsNotGiven(t *testing.T) {
	s := newListing(t, &reports{err: errors.New("connection refused")})
	if _, err := s.ListRevocationReplicas(t.Context(), &revocationv1.ListRevocationReplicasRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("err = %v", err)
	}
	if err := s.Report(t.Context()); err == nil {
		t.Error("a report that was not put")
	}
}

func TestAServerReportsItself(t *testing.T) {
	r := &reports{}
	if err := newListing(t, r).Report(t.Context()); err != nil || r.put.Server.Incarnation != "own" {
		t.Errorf("%+v, %v", r.put, err)
	}
}
