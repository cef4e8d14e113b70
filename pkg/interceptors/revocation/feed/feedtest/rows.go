package feedtest

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

const (
	length = 6 * time.Second
	// slack is what the clock of a real store may be off.
	slack = 2 * time.Second
)

func (b Backend) renewal(t *testing.T, n int, watermark int64) feed.Renewal {
	t.Helper()
	return feed.Renewal{
		RowKey: key(n), Length: length, Number: b.numbers.Add(1),
		Progress: feed.Progress{Generation: b.read(t, 0, 1).Generation, Watermark: watermark, Watchers: 2, Lapsed: 1},
	}
}

func renewWhole(t *testing.T, b Backend) {
	if got := b.renew(t, b.renewal(t, 1, 0)); got != length {
		t.Errorf("granted %s in an empty feed, want %s", got, length)
	}
	seq := b.revoke(t, rule(1))
	if got := b.renew(t, b.renewal(t, 1, seq)); got != length {
		t.Errorf("granted %s with everything acknowledged, want %s", got, length)
	}
}

func renewCapped(t *testing.T, b Backend) {
	b.renew(t, b.renewal(t, 1, 0))
	begun := time.Now()
	first := b.revoke(t, rule(1))
	short := b.renewal(t, 1, first-1)
	short.Length = time.Nanosecond
	for range 1000 { // until the clock of the store has moved on
		if granted := b.renew(t, short); granted <= 0 {
			break
		}
	}
	if got := b.renew(t, b.renewal(t, 1, first-1)); got >= length || got < length-time.Since(begun)-slack {
		t.Errorf("granted %s with rule %d unacknowledged, want a bit less than %s", got, first, length)
	}
	if got := b.renew(t, short); got > 0 {
		t.Errorf("granted %s past the bound of a short lease, want nothing", got)
	}
	b.revoke(t, rule(2))
	if got := b.renew(t, short); got > 0 {
		t.Errorf("granted %s: a later rule moved the bound of an earlier one", got)
	}
	if got := b.renew(t, b.renewal(t, 1, first+1)); got != length {
		t.Errorf("granted %s after the acknowledgement, want %s", got, length)
	}
}

func renewCommitted(t *testing.T, b Backend) {
	b.renew(t, b.renewal(t, 1, 0))
	want := b.renewal(t, 1, 0)
	begun := time.Now()
	b.renew(t, want)
	got, ok := b.row(t, key(1))
	if !ok {
		t.Fatal("the row of a renewal that returned is not there")
	}
	if got.Renewals != want.Number || got.Progress != want.Progress || got.Length != length {
		t.Errorf("row is %+v after two of %+v", got, want)
	}
	if left := time.Until(got.LeaseUntil); left > length+slack || left < length-time.Since(begun)-slack {
		t.Errorf("lease is over in %s, want %s", left, length)
	}
	want.Length = length / 2
	b.renew(t, want)
	if got, _ := b.row(t, key(1)); got.Length != length {
		t.Errorf("longest lease is %s after a shorter one, want %s", got.Length, length)
	}
}

func watermarkMonotone(t *testing.T, b Backend) {
	for n := range 5 {
		b.revoke(t, rule(n))
	}
	b.renew(t, b.renewal(t, 1, 4))
	if got := b.renew(t, b.renewal(t, 1, 2)); got >= length {
		// Rule 5 is above 4, the watermark that counts.
		t.Errorf("granted %s, want less than %s", got, length)
	}
	if err := b.Store.Publish(t.Context(), key(1), b.renewal(t, 1, 3).Progress); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.row(t, key(1)); got.Watermark != 4 {
		t.Errorf("watermark fell to %d", got.Watermark)
	}
}

func watermarkGeneration(t *testing.T, b Backend) {
	b.revoke(t, rule(1))
	b.renew(t, b.renewal(t, 1, 1))
	other := b.renewal(t, 1, 0)
	other.Generation = "another"
	b.renew(t, other)
	if got, _ := b.row(t, key(1)); got.Watermark != 0 || got.Generation != "another" {
		t.Errorf("row is %+v, want watermark 0 of another generation", got)
	}
	other.Watermark = 1
	if got := b.renew(t, other); got >= length {
		t.Errorf("granted %s on a watermark of another generation", got)
	}
}

// watermarkAhead: an engine writes what it knew before the store lost commits.
// Their positions are given again, to rules that its watchers do not have.
func watermarkAhead(t *testing.T, b Backend) {
	head := b.revoke(t, rule(1))
	ahead := b.renewal(t, 1, head+1)
	b.renew(t, ahead)
	if got, _ := b.row(t, key(1)); got.Watermark > head {
		t.Errorf("a renewal covers %d, the head is %d", got.Watermark, head)
	}
	if err := b.Store.Publish(t.Context(), key(1), ahead.Progress); err != nil {
		t.Fatal(err)
	}
	b.revoke(t, rule(2)) // at that position
	if got, _ := b.row(t, key(1)); got.Watermark > head {
		t.Errorf("covers %d, of which nobody had heard", got.Watermark)
	}
}

func publishOnly(t *testing.T, b Backend) {
	p := b.renewal(t, 1, 0).Progress
	if err := b.Store.Publish(t.Context(), key(1), p); err != nil {
		t.Fatal(err)
	}
	if row, ok := b.row(t, key(1)); ok {
		t.Fatalf("publishing inserted %+v", row)
	}
	b.renew(t, b.renewal(t, 1, 0))
	before, _ := b.row(t, key(1))
	p.Watermark, p.Watchers, p.Lapsed = b.revoke(t, rule(1)), 5, 6
	if err := b.Store.Publish(t.Context(), key(1), p); err != nil {
		t.Fatal(err)
	}
	after, _ := b.row(t, key(1))
	if after.Progress != p {
		t.Errorf("published %+v, the row has %+v", p, after.Progress)
	}
	if after.Renewals != before.Renewals || !after.LeaseUntil.Equal(before.LeaseUntil) {
		t.Errorf("publishing renewed: %+v, before %+v", after, before)
	}
}

func incarnations(t *testing.T, b Backend) {
	first, second := b.renewal(t, 1, 0), b.renewal(t, 1, 0)
	second.Incarnation = "another"
	b.renew(t, first)
	b.renew(t, second)
	if _, ok := b.row(t, first.RowKey); !ok {
		t.Error("the row of the first incarnation is gone")
	}
	if _, ok := b.row(t, second.RowKey); !ok {
		t.Error("the second incarnation has no row")
	}
}

func removeSeen(t *testing.T, b Backend) {
	remove := func(n int, renewals int64) {
		t.Helper()
		if err := b.Store.Remove(t.Context(), key(n), renewals); err != nil {
			t.Fatal(err)
		}
	}
	first, second := b.renewal(t, 1, 0), b.renewal(t, 1, 0)
	b.renew(t, first)
	b.renew(t, second)
	remove(1, first.Number)
	if _, ok := b.row(t, key(1)); !ok {
		t.Error("a row that was renewed since is gone")
	}
	remove(1, second.Number)
	if _, ok := b.row(t, key(1)); ok {
		t.Error("a row that is as it was seen is still there")
	}
	remove(1, second.Number)
	third := b.renewal(t, 1, 0)
	b.renew(t, third)
	if row, _ := b.row(t, key(1)); row.Renewals != third.Number {
		t.Errorf("a row that was inserted again has number %d, want that of its renewal %d", row.Renewals, third.Number)
	}
	b.renew(t, b.renewal(t, 2, 0))
	remove(2, feed.AnyRenewals)
	if _, ok := b.row(t, key(2)); ok {
		t.Error("the own row is still there")
	}
}

func contexts(t *testing.T, b Backend) {
	r := b.renewal(t, 1, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, renew := b.Store.Renew(ctx, r)
	_, read := b.Store.Read(ctx, 0, 1)
	_, rows := b.Store.Rows(ctx)
	for name, err := range map[string]error{
		"Renew": renew, "Read": read, "Rows": rows,
		"Publish": b.Store.Publish(ctx, r.RowKey, r.Progress), "Remove": b.Store.Remove(ctx, r.RowKey, 0),
	} {
		if err == nil {
			t.Errorf("%s went on after its context had ended", name)
		}
	}
}
