package feed

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// peerKey names one watching process. The principal is part of it: nobody
// acknowledges for somebody else.
type peerKey struct{ principal, replica, incarnation string }

// peer is a watching process. Acknowledgements count per incarnation, on
// whichever of its streams they come, late ones too.
type peer struct {
	acked   int64
	entries int
}

// entry is the registration of one stream. It outlives the stream until its
// lease is over.
type entry struct {
	key    peerKey
	peer   *peer
	cancel context.CancelCauseFunc
	wake   chan struct{} // holds at most one signal

	deadline time.Duration // of the lease granted, by the own boot clock; zero if none
	lapsed   bool          // the deadline was counted as lapsed
	closed   bool          // the stream is over

	// What the writer has to send.
	cursor int64 // position that is on its way
	joined bool  // the snapshot is on its way
	grant  *message.Grant
	move   bool
}

func (en *entry) end(cause error) {
	en.closed = true
	en.cancel(cause)
}

var (
	errGeneration = errors.New("feed: another generation of the feed")
	errSlow       = errors.New("feed: the watcher does not take its messages")
	errTooMany    = errors.New("feed: too many watchers")
)

const maxEntries = 100_000

// register notes the watcher and then, under the same lock, where its snapshot
// begins, so that no event falls between the two.
func (e *Engine) register(principal string, h message.Hello, cancel context.CancelCauseFunc) (*entry, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.entries) >= maxEntries {
		e.forget(e.clock.Now().Boot)
		if len(e.entries) >= maxEntries {
			return nil, errTooMany
		}
	}
	key := peerKey{principal, h.ReplicaID, h.Incarnation}
	p := e.peers[key]
	if p == nil {
		p = &peer{}
		e.peers[key] = p
	}
	p.entries++
	en := &entry{key: key, peer: p, cancel: cancel, wake: make(chan struct{}, 1), move: e.moving && !e.own(key)}
	if h.Generation != "" && h.Generation == e.generation {
		if h.LastSeq > p.acked {
			p.acked = h.LastSeq
			signal(e.changed)
		}
		en.cursor = h.LastSeq
	}
	e.entries[en] = struct{}{}
	signal(en.wake)
	return en, nil
}

// closeStream ends the stream of an entry and not its registration.
func (e *Engine) closeStream(en *entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	en.closed = true
	signal(e.ended)
	// Only this one: when all streams end at once, looking at all of them each
	// time would hold the lock for seconds.
	e.forgetIf(en, e.clock.Now().Boot)
}

// forget removes the registrations whose stream and lease are both over, one
// row lease later: until then a receipt may have to count them.
func (e *Engine) forget(now time.Duration) {
	for en := range e.entries {
		e.forgetIf(en, now)
	}
}

func (e *Engine) forgetIf(en *entry, now time.Duration) {
	if _, there := e.entries[en]; !there || !en.closed || en.deadline > 0 && en.deadline+e.cfg.RowLease > now {
		return
	}
	delete(e.entries, en)
	if en.peer.entries--; en.peer.entries == 0 {
		delete(e.peers, en.key)
	}
}

// renew answers a Renew. Under one lock: note the acknowledgement, record the
// server-side deadline, and only then let the writer have the grant, which it
// writes behind the events that are known by now.
func (e *Engine) renew(en *entry, m message.Renew) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ttl time.Duration
	if m.Generation != "" && m.Generation == e.generation {
		if m.AppliedSeq > en.peer.acked {
			en.peer.acked = m.AppliedSeq
			signal(e.changed)
		}
		ttl = e.ttl(en.peer.acked, e.clock.Now())
	}
	if en.closed {
		return // nobody would write the grant
	}
	if ttl > 0 {
		now := e.clock.Now().Boot
		en.deadline = max(en.deadline, now+leaseclock.Lengthen(ttl, e.cfg.Drift))
		en.lapsed = false
	}
	en.grant = &message.Grant{Nonce: m.Nonce, TTL: ttl, Generation: e.generation}
	signal(en.wake)
}

// ttl is the lease that a watcher may have now.
func (e *Engine) ttl(acked int64, now leaseclock.Instant) time.Duration {
	if e.stopping || e.lost || e.generation == "" {
		return 0
	}
	// Not beyond the own row lease, minus a margin.
	ttl := min(e.cfg.TTL, e.row.deadline.Left(now)-e.cfg.margin())
	// The deadline is at most one TTL(1+e) after the dispatch of the
	// oldest event not acknowledged. Without it a watcher that renews and does
	// not apply holds every barrier for ever.
	if d, ok := e.unacked(acked); ok {
		left := e.cfg.TTL - time.Duration(float64(now.Boot-d.at)/(1+e.cfg.Drift))
		ttl = min(ttl, left)
	}
	// A lease that is over on arrival is worth nothing.
	if ttl < e.cfg.TTL/50 {
		return 0
	}
	return ttl
}

// leave forgets the leases of a process that said it has dropped them.
func (e *Engine) leave(en *entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for other := range e.entries {
		if other.key == en.key {
			other.deadline, other.lapsed = 0, true
		}
	}
	signal(e.changed)
}

// lastDeadline returns when the last lease granted is over, by the own boot clock.
func (e *Engine) lastDeadline() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	var last time.Duration
	for en := range e.entries {
		last = max(last, en.deadline)
	}
	return last
}

// Watcher is a watching process, as an engine sees it.
type Watcher struct {
	Principal, ReplicaID, Incarnation string
	// AckedSeq is the position that it has acknowledged.
	AckedSeq int64
	// LeaseUntil is when its lease ends at the latest, by the wall clock of the
	// engine's process. Zero if it has none.
	LeaseUntil time.Time
}

// Watchers lists the processes that watch this engine, ordered by principal,
// replica and incarnation.
func (e *Engine) Watchers() []Watcher {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	byKey := make(map[peerKey]Watcher, len(e.peers))
	for en := range e.entries {
		if en.closed && en.deadline <= now.Boot {
			continue
		}
		w := byKey[en.key]
		w.Principal, w.ReplicaID, w.Incarnation = en.key.principal, en.key.replica, en.key.incarnation
		w.AckedSeq = en.peer.acked
		if en.deadline > now.Boot {
			if until := now.Add(en.deadline - now.Boot).Time(); until.After(w.LeaseUntil) {
				w.LeaseUntil = until
			}
		}
		byKey[en.key] = w
	}
	list := make([]Watcher, 0, len(byKey))
	for _, w := range byKey {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b Watcher) int {
		return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.ReplicaID, b.ReplicaID), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return list
}
