package feed

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

const (
	pageSize   = 5000
	purgeEvery = time.Minute
	// purgeSlack is how much longer than a replica's the engine's memory is:
	// its wall clock may be ahead of the others.
	purgeSlack = time.Minute
)

// follow reads the feed at every poll and wake-up and dispatches what is new.
func (e *Engine) follow(ctx context.Context) {
	tick := time.NewTicker(e.cfg.Poll)
	defer tick.Stop()
	purged := e.clock.Now()
	ahead := purged.Wall - purged.Boot // the least that was ever seen
	failing := false
	for {
		if err := e.catchUp(ctx); err != nil && ctx.Err() == nil {
			if !failing {
				e.log.WarnContext(ctx, "revocation feed unreadable", slog.Any("error", err))
			}
			failing = true
		} else if failing {
			e.log.InfoContext(ctx, "revocation feed readable again")
			failing = false
		}
		now := e.clock.Now()
		ahead = min(ahead, now.Wall-now.Boot)
		if now.Boot-purged.Boot >= purgeEvery {
			// A wall clock that was set forward may be wrong. What is forgotten
			// by it is missed by who comes later, with a clock of its own.
			e.purge(time.Unix(0, int64(now.Boot+ahead-purgeSlack)))
			purged = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, open := <-e.cfg.Wake:
			if !open {
				e.cfg.Wake = nil
			}
			signal(e.barrier.look)
		}
	}
}

// catchUp reads and dispatches until a read that began after catchUp did has
// found nothing more.
func (e *Engine) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.RowLease)
	defer cancel()
	for {
		e.mu.Lock()
		generation, after := e.generation, e.known
		e.mu.Unlock()
		page, err := e.store.Read(ctx, after, pageSize)
		if err != nil {
			return err
		}
		if page.Generation != generation {
			// The page begins at a position of another history.
			e.reset(page.Generation)
			continue
		}
		if e.wentBack(page, after) {
			return errWentBack
		}
		if e.dispatch(page) && page.Seq >= page.Head {
			return nil
		}
	}
}

// reset begins another history of the feed: nothing that was read or
// acknowledged before counts. Leases that were granted still do, until over.
func (e *Engine) reset(generation string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.generation == generation {
		return
	}
	initial := e.generation == ""
	e.generation, e.lost = generation, false
	if initial {
		// Streams that came early have been sent nothing; they begin now.
		for en := range e.entries {
			signal(en.wake)
		}
		return
	}
	e.log.Warn("revocation feed has a new generation", slog.String("generation", generation))
	e.known, e.watermark, e.trimmed = 0, 0, 0
	e.rules, e.dispatches = nil, nil
	for _, p := range e.peers {
		p.acked = 0
	}
	for en := range e.entries {
		en.end(errGeneration)
	}
}

var errWentBack = errors.New("feed: the store has lost commits and is of the same generation: recover it")

// wentBack reports whether the store has lost commits since a position was
// known: then its head is below that. The lost positions are given again, and
// the rules that get them would be taken for known, here and by watchers that
// acknowledged the lost ones. So nothing is granted until there is a new
// generation, however far the head has come meanwhile.
func (e *Engine) wentBack(p Page, known int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.Generation == e.generation && p.Head < known {
		if !e.lost {
			e.log.Error("the revocation feed went back, no leases until it has a new generation", slog.Int64("known", known), slog.Int64("head", p.Head))
		}
		e.lost = true
	}
	return e.lost
}

// covers tells whether positions that are known here are those of the store:
// something was read, and nothing was lost since.
func (e *Engine) covers() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.generation != "" && !e.lost
}

func (e *Engine) currentGeneration() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.generation
}

// dispatch passes a page on to all streams, in the order of the feed: it is
// the only writer of known, and streams read up to known. A barrier that looks
// at the watchers compares with known, so it looks after the dispatch. It
// returns false if another read has begun another history meanwhile.
func (e *Engine) dispatch(p Page) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.Generation != e.generation {
		return false
	}
	if p.Seq <= e.known {
		return true // nothing new, or overtaken by another read
	}
	// The page may begin before known if another read came in between.
	i, _ := slices.BinarySearchFunc(p.Rules, e.known, afterSeq)
	e.rules = append(e.rules, p.Rules[i:]...)
	now := e.clock.Now().Boot
	e.trim(now)
	e.dispatches = append(e.dispatches, dispatch{seq: p.Seq, at: now})
	e.known = p.Seq
	for en := range e.entries {
		signal(en.wake)
	}
	signal(e.changed)
	return true
}

// trim forgets dispatches that no lease can be left from: a lease that has not
// acknowledged a dispatch ends one TTL after it.
func (e *Engine) trim(now time.Duration) {
	n := 0
	for n < len(e.dispatches) && e.dispatches[n].at+leaseclock.Lengthen(e.cfg.TTL, e.cfg.Drift) < now {
		e.trimmed = e.dispatches[n].seq
		n++
	}
	e.dispatches = slices.Delete(e.dispatches, 0, n)
}

// unacked returns the oldest dispatch above a position. If it is older than
// every lease, it is the zero dispatch.
func (e *Engine) unacked(acked int64) (dispatch, bool) {
	if acked < e.trimmed {
		return dispatch{}, true
	}
	for _, d := range e.dispatches {
		if d.seq > acked {
			return d, true
		}
	}
	return dispatch{}, false
}

// purge forgets rules that no token can be left for.
func (e *Engine) purge(before time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	gone := func(r revocation.Rule) bool { return r.ForgetAfter().Before(before) }
	if !slices.ContainsFunc(e.rules, gone) {
		return
	}
	kept := make([]revocation.Rule, 0, len(e.rules)) // writers hold parts of the old slice
	for _, r := range e.rules {
		if !gone(r) {
			kept = append(kept, r)
		}
	}
	e.rules = kept
}

// afterSeq orders a rule before a position that it is not above.
func afterSeq(r revocation.Rule, seq int64) int {
	if r.Seq <= seq {
		return -1
	}
	return 1
}
