// Package leaseclocktest is a lease clock for tests: it may drift, its wall
// clock can be set, and its process can be paused. In a synctest bubble it
// runs on the bubble's time.
package leaseclocktest

import (
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// Clock is a clock of one process of a test. Create it with New.
type Clock struct {
	start time.Time
	rate  float64

	mu     sync.Mutex
	wall   time.Duration // what the wall clock was set forward by
	paused chan struct{} // closed by Resume; nil if running
}

var _ leaseclock.Clock = (*Clock)(nil)

// New returns a clock that gains or loses drift (0.01 is one percent fast).
func New(drift float64) *Clock { return &Clock{start: time.Now(), rate: 1 + drift} }

// Now implements leaseclock.Clock. It blocks while the process is paused, and
// answers the time after the pause then, as for a process that was stopped
// right before it read the clock.
func (c *Clock) Now() leaseclock.Instant {
	for {
		c.mu.Lock()
		paused, wall := c.paused, c.wall
		c.mu.Unlock()
		if paused == nil {
			// The boot clock of a machine that has been up for a while.
			boot := time.Hour + time.Duration(float64(time.Since(c.start))*c.rate)
			return leaseclock.Instant{Boot: boot, Wall: time.Duration(c.start.UnixNano()) + boot - time.Hour + wall}
		}
		<-paused
	}
}

// SetWall sets the wall clock forward by d, or back if d is negative.
func (c *Clock) SetWall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += d
}

// Pause stops whoever reads the clock from now on.
func (c *Clock) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused == nil {
		c.paused = make(chan struct{})
	}
}

// Resume ends a pause.
func (c *Clock) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused != nil {
		close(c.paused)
		c.paused = nil
	}
}
