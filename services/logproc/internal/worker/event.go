package worker

import (
	"sync"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// Progress is how far a grant has come.
type Progress struct {
	Key   ledger.Key
	Token uuid.UUID
	// Committed is one above the last record of an answered COMMIT, ReadTo one
	// above the last that was polled.
	Committed, ReadTo int64
	Tally             Tally
}

func (s *slot) progress() Progress {
	return Progress{Key: s.lease.Key, Token: s.lease.Token, Committed: s.lease.Next, ReadTo: s.readTo, Tally: s.tally}
}

// Kind of an event.
type Kind int

// The kinds. All but Changed end a grant.
const (
	// Changed: Partitions have come further.
	Changed Kind = iota
	// Fenced: somebody else owns the partition, or a newer grant does, or who
	// does is unknown.
	Fenced
	// NeedsIsolation: the partition is for a process of its own.
	NeedsIsolation
	// IsolationDone: it no longer is.
	IsolationDone
	// Stopped: the worker has stopped; Partitions and Unresolved are its report.
	Stopped
)

// Unresolved is a batch whose COMMIT was not answered.
type Unresolved struct {
	Key      ledger.Key
	From, To int64
	XID      uint64
}

// Event is news for the parent.
type Event struct {
	Kind       Kind
	Progress   Progress
	Partitions []Progress
	Unresolved []Unresolved
}

// queue holds events until the parent has read them. Progress replaces older
// progress, so it stays small: one entry per grant that ended.
type queue struct {
	mu         *sync.Mutex
	list       []Event
	now        []Progress
	dirty      bool
	unresolved []Unresolved
	ready      chan struct{}
}

func newQueue() queue { return queue{mu: new(sync.Mutex), ready: make(chan struct{}, 1)} }

func (q *queue) put(e Event) {
	q.mu.Lock()
	q.list = append(q.list, e)
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// changed notes that there is something to tell.
func (q *queue) changed() {
	q.mu.Lock()
	q.dirty = true
	q.mu.Unlock()
}

func (q *queue) addUnresolved(u Unresolved) {
	q.mu.Lock()
	q.unresolved = append(q.unresolved, u)
	q.mu.Unlock()
}

// set replaces the progress of all partitions.
func (q *queue) set(now []Progress) {
	q.mu.Lock()
	q.now = now
	q.mu.Unlock()
	q.signal()
}

func (q *queue) isDirty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := q.dirty
	q.dirty = false
	return d
}

func (q *queue) snapshot() []Progress {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.now
}

func (q *queue) report(last []Progress) {
	q.mu.Lock()
	q.now = nil
	q.list = append(q.list, Event{Kind: Stopped, Partitions: last, Unresolved: q.unresolved})
	q.mu.Unlock()
	q.signal()
}

// Events returns the news since the last call.
func (w *Worker) Events() []Event {
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	list := w.events.list
	w.events.list = nil
	if len(w.events.now) > 0 {
		list = append([]Event{{Kind: Changed, Partitions: w.events.now}}, list...)
	}
	return list
}

// Ready receives after there is news.
func (w *Worker) Ready() <-chan struct{} { return w.events.ready }

// Stopped is closed when Run has returned.
func (w *Worker) Stopped() <-chan struct{} { return w.stopped }

// tell publishes how far the partitions have come.
func (w *Worker) tell() {
	if !w.events.isDirty() {
		return
	}
	now := make([]Progress, 0, len(w.slots))
	for _, s := range w.slots {
		now = append(now, s.progress())
	}
	w.events.set(now)
}
