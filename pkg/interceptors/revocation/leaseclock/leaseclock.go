// Package leaseclock is the clock that leases are counted on.
//
// Go's monotonic clock stands still while a machine is suspended, and the wall
// clock can be set. So an [Instant] holds both: CLOCK_BOOTTIME, which goes on
// in suspend, and the wall clock, which also notices a restored snapshot or a
// live migration.
//
// Two directions are to be kept apart. Who HOLDS a lease stops using it as
// soon as either clock says that it is over ([Instant.Over]). Who WAITS for
// the lease of somebody else believes the boot clock alone: a wall clock that
// is set forward must not end somebody else's lease.
package leaseclock

import "time"

// Instant is one moment on both clocks. The zero Instant is long over.
type Instant struct {
	// Boot is the time since the machine started, suspend included.
	Boot time.Duration
	// Wall is the time since the Unix epoch by the wall clock.
	Wall time.Duration
}

// Clock tells the time. Implementations are safe for concurrent use, and must
// not answer from a cache: a cached moment before a pause is a lie after it.
type Clock interface {
	Now() Instant
}

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{Boot: i.Boot + d, Wall: i.Wall + d}
}

// Over reports whether a deadline has passed at now: by either clock.
func (i Instant) Over(now Instant) bool {
	return now.Boot >= i.Boot || now.Wall >= i.Wall
}

// Left returns the time from now to a deadline by the clock that ends it
// first; negative or zero if it is over.
func (i Instant) Left(now Instant) time.Duration {
	return min(i.Boot-now.Boot, i.Wall-now.Wall)
}

// Later returns the one of two deadlines whose boot clock is later. Deadlines
// are chosen whole: the wall clock of one with the boot clock of another would
// outlive a wall clock that was set back in between.
func (i Instant) Later(j Instant) Instant {
	if j.Boot > i.Boot {
		return j
	}
	return i
}

// Time returns the wall clock's reading.
func (i Instant) Time() time.Time {
	return time.Unix(0, int64(i.Wall))
}

// Shorten returns d(1-drift): how long a holder may use a lease of d.
func Shorten(d time.Duration, drift float64) time.Duration {
	return d - time.Duration(float64(d)*drift)
}

// Lengthen returns d(1+drift): how long to wait until a lease of d is over.
func Lengthen(d time.Duration, drift float64) time.Duration {
	return d + time.Duration(float64(d)*drift)
}
