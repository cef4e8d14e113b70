package account

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
)

// crowded is a store whose batches take time, and of which there are so many.
type crowded struct {
	Store

	batches int
	err     error // of the last one
	at      int64
}

func (c *crowded) RefuseExternalIssuer(context.Context, string) (int64, error) { return 1, nil }

func (c *crowded) EndExternalSessions(ctx context.Context, _ string, _ uuid.UUID, limit int) (int, uuid.UUID, int64, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return 0, uuid.Nil, 0, ctx.Err()
	}
	c.batches--
	c.at++
	if c.batches > 0 {
		return limit, uuid.Max, c.at, nil
	}
	return 1, uuid.Nil, c.at, c.err
}

func (c *crowded) ExternalIssuers(_ context.Context, named []string, _ bool, _ time.Duration) ([]ExternalIssuer, error) {
	return []ExternalIssuer{{Issuer: named[0], Known: true}}, nil
}

type waited struct{ seq int64 }

func (w *waited) Await(_ context.Context, seq int64) (Receipt, error) {
	w.seq = seq
	return Receipt{Seq: seq}, nil
}

func TestARevocationOfAnIssuerThatHasNoMoreTimeSaysThatItGoesOn(t *testing.T) {
	tokens, err := issuer.New(issuer.Config{Issuer: "https://auth.example.com", Audience: "curfew", Life: time.Minute}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		batches int
		last    error
		limit   time.Duration
		goesOn  bool
		ended   int64
	}{
		"few sessions":                                {3, nil, time.Minute, false, 2*endBatch + 1},
		"more than a call may end":                    {100, nil, time.Minute, true, 7 * endBatch},
		"more than the caller waits for":              {100, nil, 3300 * time.Millisecond, true, 3 * endBatch},
		"no place among those who revoke, after some": {2, ErrBusy, time.Minute, true, endBatch},
	} {
		synctest.Test(t, func(t *testing.T) {
			store, barrier := &crowded{batches: c.batches, err: c.last}, &waited{}
			s := &Service{store: store, barrier: barrier, minter: NewMinter(tokens, nil), log: slog.New(slog.DiscardHandler)}
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			_, ended, r, err := s.RevokeExternalIssuer(ctx, "https://id.example.com", false)
			unfinished, goesOn := errors.AsType[*UnfinishedError](err)
			if goesOn != c.goesOn || goesOn == (err == nil) || ended != c.ended || goesOn && unfinished.Ended != ended {
				t.Errorf("%s: %d ended, %v", name, ended, err)
			}
			if err == nil && (r.Seq != store.at || barrier.seq != store.at) {
				t.Errorf("%s: waited for %d, the last batch was at %d", name, barrier.seq, store.at)
			}
			if ctx.Err() != nil {
				t.Errorf("%s: no time is left to answer", name)
			}
		})
	}
}
