// Package stall notices that the process stood still, and refuses for a moment
// what waited in its buffers meanwhile.
//
// A refresh that waited in a paused process arrives after its client has given
// up, retried elsewhere and gone on with the successor; judged by its age, it
// would look like the copy of a thief, and end an honest session. What is not
// covered is a pause after Open and before the statement reaches the database.
package stall

import (
	"context"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// Gate is open unless the process has just stood still. It is safe for
// concurrent use.
type Gate struct {
	clock leaseclock.Clock
	limit time.Duration

	mu     sync.Mutex
	seen   leaseclock.Instant
	closed leaseclock.Instant // until when
}

// New returns a Gate that closes when nothing has run for limit, and stays
// closed as long again: so long a busy machine may take to read what waited.
// Run has to run.
func New(clock leaseclock.Clock, limit time.Duration) *Gate {
	return &Gate{clock: clock, limit: limit, seen: clock.Now()}
}

// Run keeps the gate open while time passes as it should, until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	t := time.NewTicker(g.limit / 8)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			g.Open()
		}
	}
}

// Open looks at the clock, so that whoever runs first after a pause notices it,
// and says whether a call may go on.
func (g *Gate) Open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	if g.seen.Add(g.limit).Over(now) {
		g.closed = now.Add(g.limit)
	}
	g.seen = now
	return g.closed == leaseclock.Instant{} || g.closed.Over(now)
}
