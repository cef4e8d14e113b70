package parent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// isolate moves a suspected partition to a process of its own.
func (p *Parent) isolate(ctx context.Context, g worker.Progress) {
	p.mu.Lock()
	q := p.held(g)
	if q == nil || p.stopping {
		p.mu.Unlock()
		return
	}
	q.isolated = true
	p.waiting = append(p.waiting, g.Key)
	p.mu.Unlock()
	p.startIsolations(ctx)
}

// startIsolations starts processes for the waiting partitions, as many as may
// run.
func (p *Parent) startIsolations(ctx context.Context) {
	for {
		p.mu.Lock()
		if len(p.waiting) == 0 || len(p.isolations) >= maxIsolations || p.stopping {
			p.mu.Unlock()
			return
		}
		key := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.isolations[key] = nil // starting
		p.mu.Unlock()
		p.cfg.Log.WarnContext(ctx, "isolating a partition", "partition", key.String())
		p.cfg.Go("isolation "+key.String(), func(ctx context.Context) error {
			if err := p.cfg.Isolator.Start(key); err != nil {
				p.cfg.Log.WarnContext(ctx, "isolation process does not start", "partition", key.String(), "error", err)
				p.mu.Lock()
				delete(p.isolations, key)
				if p.partitions[key] != nil {
					p.waiting = append(p.waiting, key)
				}
				p.mu.Unlock()
				select {
				case <-ctx.Done():
				case <-time.After(maxBackoff):
					p.startIsolations(ctx)
				}
			}
			return nil
		})
	}
}

// IsolationReady takes the isolation process of a partition and grants it.
func (p *Parent) IsolationReady(ctx context.Context, key ledger.Key, generation int64, client Client) {
	proc := &process{client: client, generation: generation, isolation: true}
	p.mu.Lock()
	if _, wanted := p.isolations[key]; !wanted {
		p.mu.Unlock()
		return
	}
	p.isolations[key] = proc
	p.mu.Unlock()
	p.follow(proc)
	p.grant(ctx, []ledger.Key{key})
}

// Death is how a process ended.
type Death struct {
	// Own says that the process ended itself: a Go panic, SIGSEGV, SIGABRT or
	// SIGBUS, or a limit of its own. A SIGKILL or SIGTERM from outside is never
	// a reason to suspect a record.
	Own bool
	// Words is what it left on standard error.
	Words string
}

// IsolationExit takes the end of an isolation process. Its own death is
// evidence against the record that it had begun with.
func (p *Parent) IsolationExit(ctx context.Context, key ledger.Key, generation int64, death Death) {
	p.mu.Lock()
	proc := p.isolations[key]
	if proc == nil || proc.generation != generation {
		p.mu.Unlock()
		return
	}
	p.isolations[key] = nil
	token := uuid.Nil
	if q := p.partitions[key]; q != nil && q.isolated {
		token = q.token
		q.token = uuid.Nil
	}
	p.mu.Unlock()
	if death.Own && token != uuid.Nil {
		offset, evidence, ok, err := p.cfg.Books.AddEvidence(ctx, key, token, lastWords(death.Words))
		switch {
		case err != nil:
			// One more death is needed.
			p.cfg.Log.WarnContext(ctx, "evidence is not written", "partition", key.String(), "error", err)
		case ok:
			p.cfg.Log.WarnContext(ctx, "a record ended its process", "partition", key.String(), "offset", offset, "evidence", evidence)
		}
	}
	p.settle(ctx, proc)
}

const maxWords = 8 << 10

// lastWords keeps the end of s, or of its panic message on.
func lastWords(s string) string {
	if i := strings.LastIndex(s, "panic: "); i >= 0 {
		s = s[i:]
	}
	if len(s) > maxWords {
		s = s[:maxWords]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// isolationDone gives the partition back to its worker.
func (p *Parent) isolationDone(ctx context.Context, g worker.Progress) {
	p.mu.Lock()
	q := p.held(g)
	if q != nil {
		p.endIsolation(g.Key)
	}
	p.mu.Unlock()
	if q == nil {
		return
	}
	p.cfg.Log.InfoContext(ctx, "isolation is over", "partition", g.Key.String())
	p.grant(ctx, []ledger.Key{g.Key})
	p.startIsolations(ctx)
}

// endIsolation stops the isolation process of a partition.
func (p *Parent) endIsolation(key ledger.Key) {
	if q := p.partitions[key]; q != nil {
		q.isolated = false
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(k ledger.Key) bool { return k == key })
	if _, ok := p.isolations[key]; !ok {
		return
	}
	delete(p.isolations, key)
	p.cfg.Go("end isolation "+key.String(), func(context.Context) error {
		p.cfg.Isolator.Stop(key)
		return nil
	})
}
