package parent

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// account knows where every record went that was read under a grant.
type account struct {
	// closed is the sum of the grants that have ended.
	closed     worker.Tally
	pending    map[uuid.UUID]*entry
	unresolved []worker.Unresolved
	// silent are grants whose process ended without a report.
	silent []Silent
}

type entry struct {
	last   worker.Progress
	holder *process
	slot   int
}

// Silent is a grant whose process was killed: there is no report of it, only
// what it had last announced and what the database says.
type Silent struct {
	Key ledger.Key
	// Slot is the worker's, Isolation whether it was an isolation process.
	Slot      int
	Isolation bool
	// From and To is the range that it had in work by its last word.
	From, To int64
	Tally    worker.Tally
}

func newAccount() account { return account{pending: map[uuid.UUID]*entry{}} }

// open notes a grant, so that its rows are found even if its process never says
// a word.
func (a *account) open(token uuid.UUID, key ledger.Key, slot int, holder *process) {
	a.pending[token] = &entry{last: worker.Progress{Key: key, Token: token}, holder: holder, slot: slot}
}

func (a *account) update(g worker.Progress) {
	if e := a.pending[g.Token]; e != nil {
		e.last = g
	}
}

// close takes the last word about a grant.
func (a *account) close(g worker.Progress) {
	if a.pending[g.Token] == nil {
		return
	}
	delete(a.pending, g.Token)
	a.closed.Add(g.Tally)
}

const (
	settleTimeout = 1500 * time.Millisecond
	// maxSilent bounds the memory of killed processes; their sums are kept.
	maxSilent = 64
)

// settle asks the database what became of the grants of a process that ended
// without a report.
func (p *Parent) settle(ctx context.Context, proc *process) {
	p.mu.Lock()
	var list []*entry
	for _, e := range p.books.pending {
		if e.holder == proc {
			list = append(list, e)
		}
	}
	p.mu.Unlock()
	for _, e := range list {
		p.settleOne(ctx, e)
	}
}

// settleOne closes one grant by what is in the database. If that does not
// answer, the grant stays open and is asked for again at the stop.
func (p *Parent) settleOne(ctx context.Context, e *entry) {
	call, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	p.mu.Lock()
	last := e.last
	p.mu.Unlock()
	committed, err := p.cfg.Books.Settle(call, last.Key, last.Token)
	if err != nil {
		p.cfg.Log.WarnContext(ctx, "a dead worker's batches are not settled yet", "partition", last.Key.String(), "error", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.books.pending[last.Token] == nil {
		return // its report came after all
	}
	delete(p.books.pending, last.Token)
	tally := byDatabase(last.Tally, committed)
	p.books.closed.Add(tally)
	if tally.Read > 0 && len(p.books.silent) < maxSilent {
		p.books.silent = append(p.books.silent, Silent{
			Key: last.Key, Slot: e.slot, Isolation: e.holder.isolation, From: last.Committed, To: last.ReadTo, Tally: tally,
		})
	}
}

// byDatabase completes what a killed worker last announced by what it had
// committed: the rest of what it had read is read again by the next owner.
func byDatabase(announced, committed worker.Tally) worker.Tally {
	t := committed
	t.Read = max(announced.Read, committed.Read)
	t.HandedBack = t.Read - t.Stored - t.Dead - t.Sampled
	return t
}

// Report is what became of every record that was read.
type Report struct {
	worker.Tally
	// Unresolved are the batches whose COMMIT was not answered.
	Unresolved []worker.Unresolved
	// Silent are the grants of killed processes.
	Silent []Silent
	// Open counts grants that neither a report nor the database has closed;
	// what they had in work is counted as unresolved.
	Open int
}

// Line says it in one line. What is lost is computed from the rest.
func (r Report) Line() string {
	return fmt.Sprintf("read %s = stored %s + dead-lettered %s + sampled out %s + handed back %s + unresolved %s; lost %s",
		grouped(r.Read), grouped(r.Stored), grouped(r.Dead), grouped(r.Sampled), grouped(r.HandedBack),
		grouped(r.Tally.Unresolved), grouped(r.Lost()))
}

func grouped(n int64) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Final closes what is open, as far as the database answers, and reports.
func (p *Parent) Final(ctx context.Context) Report {
	p.mu.Lock()
	list := make([]*entry, 0, len(p.books.pending))
	for _, e := range p.books.pending {
		list = append(list, e)
	}
	p.mu.Unlock()
	for _, e := range list {
		if ctx.Err() == nil {
			p.settleOne(ctx, e)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := Report{Tally: p.books.closed, Unresolved: p.books.unresolved, Silent: p.books.silent, Open: len(p.books.pending)}
	for _, e := range p.books.pending {
		t := e.last.Tally
		t.Unresolved = t.Read - t.Stored - t.Dead - t.Sampled - t.HandedBack
		r.Tally.Add(t)
	}
	return r
}
