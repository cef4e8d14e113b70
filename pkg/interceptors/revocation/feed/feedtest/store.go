package feedtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// Backend is a new and empty feed that the suite may fill.
type Backend struct {
	// Store is the store under test.
	Store feed.Store
	// Begin runs a revoking transaction with rules, as the service does, up to
	// the point before its commit, and returns its position. It blocks while
	// another transaction has begun and not yet committed.
	Begin func(ctx context.Context, rules ...revocation.Rule) (seq int64, commit func() error, err error)

	numbers *atomic.Int64 // of the renewals
}

func (b Backend) revoke(t *testing.T, rules ...revocation.Rule) int64 {
	t.Helper()
	seq, commit, err := b.Begin(t.Context(), rules...)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	return seq
}

// RunStore runs the suite. open is called once for each test.
func RunStore(t *testing.T, open func(t *testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, Backend){
		"an empty feed has a generation and no rules":                                        emptyFeed,
		"rules come back as they were written, in the order of commits":                      rulesComeBack,
		"a page never cuts the rules of one position":                                        pages,
		"a read sees every commit before it":                                                 readsLatest,
		"a position is invisible until all below it are committed":                           commitOrder,
		"concurrent revocations get positions without a gap":                                 noGap,
		"a renewal grants the whole length when nothing is unacknowledged":                   renewWhole,
		"a renewal grants nothing past the oldest rule above the watermark plus the length":  renewCapped,
		"a renewal is committed when it returns":                                             renewCommitted,
		"a watermark never falls within a generation":                                        watermarkMonotone,
		"a watermark of another generation replaces the old one and bounds the lease by all": watermarkGeneration,
		"a watermark above the head covers nothing":                                          watermarkAhead,
		"publishing renews nothing and inserts nothing":                                      publishOnly,
		"rows of two incarnations of one replica are two rows":                               incarnations,
		"a row is removed only as it was seen":                                               removeSeen,
		"every method obeys its context":                                                     contexts,
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			b.numbers = &atomic.Int64{}
			test(t, b)
		})
	}
}

func key(n int) feed.RowKey {
	return feed.RowKey{Replica: fmt.Sprintf("engine-%d", n), Incarnation: fmt.Sprintf("incarnation-%d", n)}
}

func rule(n int) revocation.Rule {
	return revocation.Rule{
		Kind: revocation.KindSubjectEpoch, Issuer: "https://auth.curfew.dev", ID: fmt.Sprintf("user-%d", n), Epoch: int64(n + 1),
		KeepUntil: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
	}
}

func (b Backend) read(t *testing.T, after int64, limit int) feed.Page {
	t.Helper()
	p, err := b.Store.Read(t.Context(), after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b Backend) renew(t *testing.T, r feed.Renewal) time.Duration {
	t.Helper()
	granted, err := b.Store.Renew(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return granted
}

func (b Backend) row(t *testing.T, k feed.RowKey) (feed.Row, bool) {
	t.Helper()
	rows, err := b.Store.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.RowKey == k {
			return r, true
		}
	}
	return feed.Row{}, false
}

func emptyFeed(t *testing.T, b Backend) {
	p := b.read(t, 0, 10)
	if p.Generation == "" || p.Head != 0 || p.Seq != 0 || len(p.Rules) != 0 {
		t.Errorf("empty feed is %+v", p)
	}
}

func rulesComeBack(t *testing.T, b Backend) {
	keep := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	issuer := "https://auth.curfew.dev"
	want := []revocation.Rule{
		{Kind: revocation.KindToken, Issuer: issuer, ID: "jti", KeepUntil: keep},
		{Kind: revocation.KindSession, Issuer: issuer, ID: "sid", KeepUntil: keep},
		{Kind: revocation.KindSubjectEpoch, Issuer: issuer, ID: "sub", Epoch: 7, KeepUntil: keep},
		{Kind: revocation.KindSubjectBlock, Issuer: issuer, ID: "sub", Until: keep.Add(time.Minute), KeepUntil: keep},
		{Kind: revocation.KindKey, Issuer: issuer, ID: "kid", KeepUntil: keep},
		{Kind: revocation.KindIssuer, Issuer: issuer, KeepUntil: keep},
	}
	for i := range want {
		want[i].Seq = b.revoke(t, want[i])
		if want[i].Seq != int64(i+1) {
			t.Fatalf("position %d, want %d", want[i].Seq, i+1)
		}
	}
	p := b.read(t, 0, 100)
	if diff := cmp.Diff(want, p.Rules, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Error(diff)
	}
	if p.Head != 6 || p.Seq != 6 {
		t.Errorf("head %d and position %d, want 6", p.Head, p.Seq)
	}
	if p := b.read(t, 4, 100); len(p.Rules) != 2 || p.Rules[0].Seq != 5 {
		t.Errorf("above 4 are %v", p.Rules)
	}
	if p := b.read(t, 9, 100); len(p.Rules) != 0 || p.Seq != 6 {
		t.Errorf("above the head is %+v", p)
	}
}

func pages(t *testing.T, b Backend) {
	b.revoke(t, rule(1))
	b.revoke(t, rule(2), rule(3), rule(4))
	b.revoke(t, rule(5))
	var seqs []int64
	after := int64(0)
	for range 10 {
		p := b.read(t, after, 2)
		for _, r := range p.Rules {
			if r.Seq <= after || r.Seq > p.Seq {
				t.Fatalf("rule %d in the page from %d to %d", r.Seq, after, p.Seq)
			}
			seqs = append(seqs, r.Seq)
		}
		if after = p.Seq; p.Seq == p.Head {
			break
		}
	}
	if diff := cmp.Diff([]int64{1, 2, 2, 2, 3}, seqs); diff != "" {
		t.Error(diff)
	}
}

// readsLatest refuses a standby, and a snapshot that is older than the read: an
// engine grants leases by what it read after its renewal.
func readsLatest(t *testing.T, b Backend) {
	for n := range 20 {
		seq := b.revoke(t, rule(n))
		if p := b.read(t, seq-1, 10); p.Head != seq || p.Seq != seq || len(p.Rules) != 1 {
			t.Fatalf("after the commit of %d the feed is %+v", seq, p)
		}
	}
}

// patience is how long the suite gives a wrong store to go wrong.
const patience = 100 * time.Millisecond

// commitOrder is the rule "head row lock instead of a SERIAL".
func commitOrder(t *testing.T, b Backend) {
	first, commit, err := b.Begin(t.Context(), rule(1))
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan int64, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		seq, commit, err := b.Begin(context.WithoutCancel(t.Context()), rule(2))
		if err == nil {
			err = commit()
		}
		if err != nil {
			t.Error(err)
		}
		second <- seq
	})
	// It waits for the lock of the head. A store without one commits meanwhile.
	select {
	case seq := <-second:
		t.Errorf("position %d committed before %d", seq, first)
		second <- seq
	case <-time.After(patience):
	}
	if p := b.read(t, 0, 10); p.Seq != 0 || len(p.Rules) != 0 {
		t.Errorf("before the commit of %d the feed is %+v", first, p)
	}
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	if seq := <-second; seq != first+1 {
		t.Errorf("second position is %d after %d", seq, first)
	}
	wg.Wait()
	if p := b.read(t, 0, 10); p.Head != 2 || len(p.Rules) != 2 {
		t.Errorf("after both commits the feed is %+v", p)
	}
}

func noGap(t *testing.T, b Backend) {
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := range each {
				_, commit, err := b.Begin(t.Context(), rule(n))
				if err == nil {
					err = commit()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	next := int64(0)
	for finished := false; ; {
		p := b.read(t, next, 7)
		for _, r := range p.Rules {
			if r.Seq != next+1 {
				t.Errorf("rule %d follows %d", r.Seq, next)
			}
			next = r.Seq
		}
		if p.Seq != next {
			t.Errorf("page ends at %d, its last rule is %d", p.Seq, next)
		}
		if finished && p.Seq == p.Head {
			break
		}
		select {
		case <-done:
			finished = true
		default:
		}
	}
	if next != writers*each {
		t.Errorf("last position is %d, want %d", next, writers*each)
	}
}
