package query

import (
	"context"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const (
	// MaxTails bounds the streams of one replica: each asks the database
	// several times a second.
	MaxTails  = 32
	tailEvery = 500 * time.Millisecond
	// tailBatch bounds a message; what is above is counted as skipped.
	tailBatch = 500
)

// Tails follows what is stored. Safe for concurrent use.
type Tails struct {
	store TailStore
	slots chan struct{}
}

// TailStore is what following needs.
type TailStore interface {
	// Heads returns next_off of every partition.
	Heads(ctx context.Context) (map[ledger.Key]int64, error)
	// Since returns the stored records of [from, to) that match, oldest first,
	// at most limit and about bytes of them, and the number of those that match.
	Since(ctx context.Context, f Filter, key ledger.Key, from, to int64, limit, bytes int) ([]Log, int64, error)
}

// NewTails returns a follower of store.
func NewTails(store TailStore) *Tails {
	return &Tails{store: store, slots: make(chan struct{}, MaxTails)}
}

// Follow sends what is stored from now on, until ctx ends or send fails. A slow
// send is not waited for: what is above a batch is counted, not sent.
func (t *Tails) Follow(ctx context.Context, f Filter, send func(logs []Log, skipped int64) error) error {
	select {
	case t.slots <- struct{}{}:
	default:
		return ErrTooManyTails
	}
	defer func() { <-t.slots }()
	heads, err := t.store.Heads(ctx)
	if err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	ticker := time.NewTicker(tailEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		now, err := t.store.Heads(ctx)
		if err != nil {
			return fmt.Errorf("tail: %w", err)
		}
		logs, skipped, err := t.news(ctx, f, heads, now)
		if err != nil {
			return fmt.Errorf("tail: %w", err)
		}
		heads = now
		if len(logs) == 0 && skipped == 0 {
			continue
		}
		if err := send(logs, skipped); err != nil {
			return err
		}
	}
}

// news is what was stored between two looks at the ledger. A row that went
// back (the log was cut, the topic made again) starts again from there.
func (t *Tails) news(ctx context.Context, f Filter, before, now map[ledger.Key]int64) (logs []Log, skipped int64, err error) {
	bytes := 0
	for key, to := range now {
		from := before[key]
		if to <= from || f.Topic != "" && f.Topic != key.Topic {
			continue
		}
		limit := tailBatch - len(logs)
		if bytes >= MaxBytes {
			limit = 0
		}
		found, matching, err := t.store.Since(ctx, f, key, from, to, limit, MaxBytes-bytes)
		if err != nil {
			return nil, 0, err
		}
		logs = append(logs, found...)
		bytes += size(found)
		skipped += matching - int64(len(found))
	}
	return logs, skipped, nil
}
