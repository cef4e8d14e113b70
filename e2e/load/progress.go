package load

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/e2e/stand"
)

const (
	lookEvery = 20 * time.Millisecond
	endsEvery = 200 * time.Millisecond
)

// Progress is how a partition got on while somebody watched. It is printed as JSON.
type Progress struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"` // position of the ledger at the beginning
	To        int64 `json:"to"`   // and at the end
	Moves     int   `json:"moves"`
	// StillMS is the longest time without progress while there was something to store, in milliseconds.
	StillMS int64 `json:"still_ms"`
}

// Watch notes the progress of all partitions until ctx ends.
func Watch(ctx context.Context, d Databases) ([]Progress, error) {
	conn, err := stand.Connect(ctx, d.Logproc)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	ends, err := Ends(ctx, d.Brokers, d.Topic)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	seen := map[int32]*watched{}
	for pause(ctx, lookEvery) {
		at, err := positions(ctx, conn, d.Group, d.Topic)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, err
		}
		now := time.Now()
		if now.Sub(asked) >= endsEvery {
			if fresh, err := Ends(ctx, d.Brokers, d.Topic); err == nil {
				ends, asked = fresh, now
			}
		}
		for p, next := range at {
			if seen[p] == nil {
				seen[p] = &watched{Progress: Progress{Partition: p, From: next, To: next}, moved: now}
			}
			seen[p].look(now, next, ends[p])
		}
	}
	var all []Progress
	for _, p := range slices.Sorted(maps.Keys(seen)) {
		all = append(all, seen[p].Progress)
	}
	return all, nil
}

// watched is a partition and when it moved last.
type watched struct {
	Progress

	moved time.Time
	idle  bool // there was nothing to do
}

// look notes one look: the position and the end that was known.
func (w *watched) look(now time.Time, next, end int64) {
	if w.idle {
		w.moved = now
	}
	w.StillMS = max(w.StillMS, now.Sub(w.moved).Milliseconds())
	if next > w.To {
		w.To = next
		w.Moves++
		w.moved = now
	}
	w.idle = next >= end
}
