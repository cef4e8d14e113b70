package watcher

import (
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// snapshot merges a part of a snapshot into the set; it never replaces it, for
// the server may lag behind the last one. The position counts with the last
// part. One that answers a Hello with a position that was given up since lacks
// rules that were forgotten: it does not count, nor does its stream.
func (w *Watcher) snapshot(s *session, m message.Snapshot) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.resyncs != w.resyncs {
		w.publish(m.Rules, false)
		return errResync
	}
	w.publish(m.Rules, !m.More)
	if m.More {
		return nil
	}
	if m.Generation != w.generation {
		w.generation, w.applied = m.Generation, 0
	}
	w.advance(m.HeadSeq)
	return nil
}

// events applies rules of the feed. Those of another generation than the
// position's, or of a stream that began before the position was given up, are
// kept, but the stream cannot go on.
func (w *Watcher) events(s *session, m message.Events) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.publish(m.Rules, false)
	if s.resyncs != w.resyncs {
		return errResync
	}
	if m.Generation != w.generation {
		return errGeneration
	}
	w.advance(m.Seq)
	return nil
}

// publish makes rules known to checks and then cancels the running calls that
// they concern: a call that registered before the sweep is cancelled, one that
// registers after it finds the rule.
func (w *Watcher) publish(rules []revocation.Rule, complete bool) {
	s := *w.state.Load()
	s.set = s.set.With(rules...)
	s.known = s.known || complete
	w.state.Store(&s)
	if len(rules) == 0 {
		return
	}
	added, now := (*revocation.Set)(nil).With(rules...), w.clock.Now().Time()
	w.inflight.Cancel(func(id *identity.Identity) bool { return added.Revokes(id, now) }, revocation.ErrRevoked)
}

// advance notes the position, which acknowledges it, and has every stream say
// so at once.
func (w *Watcher) advance(seq int64) {
	w.applied = max(w.applied, seq)
	for s := range w.sessions {
		signal(s.wake)
	}
}

// grant takes a lease that was asked for at sent. The deadline is the latest
// of all grants of any server.
func (w *Watcher) grant(s *session, sent leaseclock.Instant, g message.Grant) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left {
		return nil
	}
	if s.resyncs != w.resyncs {
		return errResync
	}
	if g.Generation != w.generation {
		return errGeneration
	}
	if w.purged.undone(w.clock.Now()) {
		// Rules were forgotten by a clock that has been set back since.
		w.resync()
		return errClock
	}
	next := *w.state.Load()
	ttl, last := min(g.TTL, w.cfg.TTL), next.deadline
	next.deadline = next.deadline.Later(sent.Add(leaseclock.Shorten(ttl, w.cfg.Drift)))
	if now := w.clock.Now(); last != (leaseclock.Instant{}) && last.Over(now) && !next.deadline.Over(now) {
		w.losses++
	}
	w.state.Store(&next)
	signal(w.granted)
	select {
	case <-w.ready:
	default:
		if next.known && !next.deadline.Over(w.clock.Now()) {
			close(w.ready)
		}
	}
	return nil
}

// resync gives up lease and position, so that the next stream begins with all
// rules. Streams that began before are of no use any more.
func (w *Watcher) resync() {
	s := *w.state.Load()
	if s.deadline != (leaseclock.Instant{}) {
		w.losses++
		if s.givenUp = w.clock.Now(); s.deadline.Over(s.givenUp) {
			s.givenUp = s.deadline
		}
	}
	w.purged.ahead = 0
	s.deadline, s.purged = leaseclock.Instant{}, w.purged
	w.state.Store(&s)
	w.generation, w.applied = "", 0
	w.resyncs++
	signal(w.granted)
}

// purge remembers when rules were forgotten, and by which wall clock.
type purge struct {
	at leaseclock.Instant
	// ahead is the wall clock minus the boot clock at the last time that rules
	// were forgotten; zero if none were.
	ahead time.Duration
}

const (
	purgeEvery = time.Minute
	// clockSlack is how far the wall clock may be set back unnoticed; rules are
	// kept for longer than that.
	clockSlack = time.Second
	purgeSlack = 5 * time.Second
)

func (p *purge) undone(now leaseclock.Instant) bool {
	return p.ahead != 0 && now.Wall-now.Boot < p.ahead-clockSlack
}

// forget removes rules that no token can be left for.
func (w *Watcher) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	if now.Boot-w.purged.at.Boot < purgeEvery {
		return
	}
	w.purged.at = now
	s := *w.state.Load()
	set := s.set.Expire(now.Time().Add(-purgeSlack))
	if set == s.set {
		return
	}
	w.purged.ahead = max(w.purged.ahead, now.Wall-now.Boot)
	s.set, s.purged = set, w.purged
	w.state.Store(&s)
}
