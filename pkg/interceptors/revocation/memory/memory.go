// Package memory is the revocation source of one process: a rule is in force
// when Revoke returns, in this process only, and is gone with it.
package memory

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
)

// Source is a set of rules in memory. Create it with New.
type Source struct {
	now      func() time.Time
	inflight *inflight.Index
	set      atomic.Pointer[revocation.Set]

	mu      sync.Mutex // serializes writers
	expired time.Time  // when rules were last forgotten
}

var (
	_ revocation.Source = (*Source)(nil)
	_ inflight.Owner    = (*Source)(nil)
)

// expireEvery bounds how often the set is searched for rules to forget.
const expireEvery = time.Minute

// New returns an empty source. Its index of running calls is index, or one of
// its own if that is nil.
func New(index *inflight.Index) *Source {
	if index == nil {
		index = &inflight.Index{}
	}
	s := &Source{now: time.Now, inflight: index}
	s.set.Store(&revocation.Set{})
	return s
}

// Check implements [revocation.Source]; knowledge is always fresh.
func (s *Source) Check(id *identity.Identity) revocation.Verdict {
	return revocation.Verdict{Revoked: s.set.Load().Revokes(id, s.now()), Fresh: true}
}

// Inflight implements [inflight.Owner].
func (s *Source) Inflight() *inflight.Index { return s.inflight }

// Revoke adds the rules, cancels the running calls they concern, and returns
// the number of those. An invalid rule is an error, and then nothing is added.
func (s *Source) Revoke(rules ...revocation.Rule) (int, error) {
	for _, r := range rules {
		if err := r.Validate(); err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.set.Load().With(rules...)
	now := s.now()
	if now.Sub(s.expired) >= expireEvery {
		next, s.expired = next.Expire(now), now
	}
	s.set.Store(next)
	added := (*revocation.Set)(nil).With(rules...)
	return s.inflight.Cancel(func(id *identity.Identity) bool { return added.Revokes(id, now) }, revocation.ErrRevoked), nil
}

// Len returns the number of rules held.
func (s *Source) Len() int { return s.set.Load().Len() }
