// Package leaseclocktest is a lease clock for tests: it may drift, stand still
// and have its wall clock set. In a synctest bubble it runs on the bubble's
// time.
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

	mu   sync.Mutex
	wall time.Duration // what the wall clock was set forward by
	lost time.Duration // what the boot clock stood still for
}

var _ leaseclock.Clock = (*Clock)(nil)

// New returns a clock that gains or loses drift (0.01 is one percent fast).
func New(drift float64) *Clock { return &Clock{start: time.Now(), rate: 1 + drift} }

// Now implements leaseclock.Clock.
func (c *Clock) Now() leaseclock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The boot clock of a machine that has been up for a while.
	elapsed := time.Duration(float64(time.Since(c.start)) * c.rate)
	return leaseclock.Instant{
		Boot: time.Hour + elapsed - c.lost,
		Wall: time.Duration(c.start.UnixNano()) + elapsed + c.wall,
	}
}

// SetWall sets the wall clock forward by d, or back if d is negative.
func (c *Clock) SetWall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += d
}

// LoseBoot sets the boot clock back by d, as a restored snapshot of the whole
// machine does.
func (c *Clock) LoseBoot(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost += d
}
