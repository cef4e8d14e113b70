//go:build !linux

package leaseclock

import "time"

type systemClock struct{ start time.Time }

// System returns the clock of this machine. Without CLOCK_BOOTTIME the
// monotonic clock may stand still in suspend; then the wall clock ends leases.
func System() Clock { return systemClock{start: time.Now()} }

// Now implements [Clock].
func (c systemClock) Now() Instant {
	now := time.Now()
	return Instant{Boot: now.Sub(c.start) + 1, Wall: time.Duration(now.UnixNano())}
}
