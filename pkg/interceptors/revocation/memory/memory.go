// Package memory is a revocation source for a single process. A rule is in force
// when [Source.Revoke] returns, in this process only, and is lost when the
// process ends.
package memory

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
)

// Source holds a set of rules in memory. Create it with [New]; its methods are
// safe for concurrent use.
type Source struct {
	now      func() time.Time
	inflight inflight.Index
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

// New returns an empty source with an index of running calls of its own.
func New() *Source {
	s := &Source{now: time.Now}
	s.set.Store(&revocation.Set{})
	return s
}

// Check implements [revocation.Source]; knowledge is always fresh.
func (s *Source) Check(id *identity.Identity) revocation.Verdict {
	return revocation.Verdict{Revoked: s.set.Load().Revokes(id, s.now()), Fresh: true}
}

// Inflight implements [inflight.Owner].
func (s *Source) Inflight() *inflight.Index { return &s.inflight }

// Revoke adds rules, cancels the running calls that they revoke, and returns how
// many calls that were. If any rule is invalid ([revocation.Rule.Validate]), it
// returns the error and adds none of them.
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
