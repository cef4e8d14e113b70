package parent

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// fenced takes the notice that somebody else took a partition. It is granted
// again, or nobody would own it if the thief read a stale grant and stopped;
// but only after the group has confirmed, by a heartbeat sent after the notice,
// that it is still this member's: two members that both believe would fight.
func (p *Parent) fenced(ctx context.Context, g worker.Progress) {
	p.mu.Lock()
	q := p.held(g)
	if q == nil || p.stopping {
		p.mu.Unlock()
		return
	}
	wait := q.backoff
	q.backoff = min(2*q.backoff, maxBackoff)
	p.mu.Unlock()
	p.cfg.Go("regrant", func(ctx context.Context) error {
		p.regrant(ctx, g.Key, q, wait)
		return nil
	})
}

func (p *Parent) regrant(ctx context.Context, key ledger.Key, q *partition, wait time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		call, cancel := context.WithTimeout(ctx, callTimeout)
		err := p.cfg.Group.Heartbeat(call)
		cancel()
		p.mu.Lock()
		mine := p.partitions[key] == q && !p.stopping
		if mine && err == nil {
			p.steals++
		}
		p.mu.Unlock()
		if !mine {
			return
		}
		if err == nil {
			p.cfg.Log.InfoContext(ctx, "granting a fenced partition again", "partition", key.String())
			p.grant(ctx, []ledger.Key{key})
			return
		}
		p.cfg.Log.WarnContext(ctx, "the group does not confirm a fenced partition", "partition", key.String(), "error", err)
		wait = min(2*wait, maxBackoff)
	}
}

// Offsets are the group offsets that may be committed: below them everything is
// in PostgreSQL, by an answered COMMIT of this member's workers.
func (p *Parent) Offsets() map[ledger.Key]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	offsets := map[ledger.Key]int64{}
	for key, q := range p.partitions {
		if q.committed >= 0 {
			offsets[key] = q.committed
		}
	}
	return offsets
}

// CommitOffsets tells the group how far this member has come, for lag tools.
func (p *Parent) CommitOffsets(ctx context.Context) {
	// Before the positions: those of a partition that is taken away meanwhile
	// then belong to a generation that the group has left, and are refused.
	generation := p.cfg.Group.Generation()
	offsets := p.Offsets()
	if len(offsets) == 0 {
		return
	}
	if err := p.cfg.Group.Commit(ctx, generation, offsets); err != nil {
		p.cfg.Log.WarnContext(ctx, "group offsets are not committed", "error", err)
	}
}
