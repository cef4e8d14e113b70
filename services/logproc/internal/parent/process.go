package parent

import (
	"context"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// WorkerReady takes a new worker process and grants it the partitions of its
// slot. ctx ends with the process.
func (p *Parent) WorkerReady(ctx context.Context, slot int, generation int64, client Client) {
	proc := &process{client: client, generation: generation}
	p.mu.Lock()
	p.workers[slot] = proc
	keys := p.ungranted(slot)
	p.mu.Unlock()
	p.follow(proc)
	p.grant(ctx, keys)
}

// ungranted are the partitions of a slot without a grant.
func (p *Parent) ungranted(slot int) []ledger.Key {
	var keys []ledger.Key
	for key, q := range p.partitions {
		if q.slot == slot && !q.isolated && q.token == uuid.Nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// follow reads the events of a process until it is gone.
func (p *Parent) follow(proc *process) {
	p.cfg.Go("worker events", func(ctx context.Context) error {
		// The group's stop ends ctx before the workers have reported.
		ctx = context.WithoutCancel(ctx)
		if err := proc.client.Watch(ctx, func(e worker.Event) { p.event(ctx, proc, e) }); err != nil {
			p.cfg.Log.Debug("worker is gone", "error", err)
		}
		return nil
	})
}

// WorkerExit takes the end of a worker process. Its partitions have no owner
// now; they are granted to the next process of the slot.
func (p *Parent) WorkerExit(ctx context.Context, slot int, generation int64) {
	p.mu.Lock()
	proc := p.workers[slot]
	if proc == nil || proc.generation != generation {
		p.mu.Unlock()
		return
	}
	delete(p.workers, slot)
	for _, q := range p.partitions {
		if q.slot == slot && !q.isolated {
			q.token = uuid.Nil
		}
	}
	p.mu.Unlock()
	p.settle(ctx, proc)
}

// event takes one event of a process.
func (p *Parent) event(ctx context.Context, proc *process, e worker.Event) {
	switch e.Kind {
	case worker.Changed:
		p.progress(e.Partitions)
	case worker.Fenced:
		p.final([]worker.Progress{e.Progress})
		p.fenced(ctx, e.Progress)
	case worker.NeedsIsolation:
		p.final([]worker.Progress{e.Progress})
		p.isolate(ctx, e.Progress)
	case worker.IsolationDone:
		p.final([]worker.Progress{e.Progress})
		p.isolationDone(ctx, e.Progress)
	case worker.Stopped:
		p.progress(e.Partitions)
		p.final(e.Partitions)
		p.mu.Lock()
		p.books.unresolved = append(p.books.unresolved, e.Unresolved...)
		p.mu.Unlock()
	}
}

// progress notes how far grants have come.
func (p *Parent) progress(list []worker.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range list {
		p.books.update(g)
		if q := p.partitions[g.Key]; q != nil && q.token == g.Token {
			if g.Committed > q.committed {
				q.backoff = firstBackoff
			}
			q.committed = g.Committed
		}
	}
}

// final closes grants; nothing more comes of them.
func (p *Parent) final(list []worker.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range list {
		p.books.close(g)
	}
}

// held returns the partition if g is its present grant, and takes that away.
func (p *Parent) held(g worker.Progress) *partition {
	q := p.partitions[g.Key]
	if q == nil || q.token != g.Token {
		return nil
	}
	q.token = uuid.Nil
	return q
}
