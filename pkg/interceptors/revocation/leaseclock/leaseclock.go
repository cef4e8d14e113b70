// Package leaseclock is the clock by which leases are counted.
//
// Go's monotonic clock stands still while a machine is suspended, and the wall
// clock can be set. An [Instant] therefore holds two readings: CLOCK_BOOTTIME,
// which goes on in suspend, and the wall clock, which also notices a restored
// snapshot and a live migration.
//
// The two sides of a lease use them differently. Whoever holds a lease stops
// using it as soon as either clock says that it is over ([Instant.Over]).
// Whoever waits for the lease of another process to end believes the boot clock
// only: setting a wall clock forward must not end the lease of another process.
package leaseclock

import "time"

// Instant is one moment, read on both clocks. The zero Instant is long over.
type Instant struct {
	// Boot is the time since the machine started, suspend included.
	Boot time.Duration
	// Wall is the time since the Unix epoch by the wall clock.
	Wall time.Duration
}

// Clock tells the time. Implementations must be safe for concurrent use and
// must read the clock each time: a reading from before a pause is wrong after
// it.
type Clock interface {
	// Now returns the current moment.
	Now() Instant
}

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{Boot: i.Boot + d, Wall: i.Wall + d}
}

// Over reports whether the deadline i has passed at now, by either clock.
func (i Instant) Over(now Instant) bool {
	return now.Boot >= i.Boot || now.Wall >= i.Wall
}

// Left returns the time from now to the deadline i, by the clock that ends it
// first. It is zero or negative if the deadline has passed.
func (i Instant) Left(now Instant) time.Duration {
	return min(i.Boot-now.Boot, i.Wall-now.Wall)
}

// Later returns i or j, whichever is later by the boot clock. It never mixes
// the boot clock of one with the wall clock of the other: such a deadline could
// last longer than both if the wall clock was set back in between.
func (i Instant) Later(j Instant) Instant {
	if j.Boot > i.Boot {
		return j
	}
	return i
}

// Time returns the reading of the wall clock.
func (i Instant) Time() time.Time {
	return time.Unix(0, int64(i.Wall))
}

// Shorten returns d(1-drift), which is how long the holder may use a lease of
// d.
func Shorten(d time.Duration, drift float64) time.Duration {
	return d - time.Duration(float64(d)*drift)
}

// Lengthen returns d(1+drift), which is how long others wait until a lease of d
// is over.
func Lengthen(d time.Duration, drift float64) time.Duration {
	return d + time.Duration(float64(d)*drift)
}
