package leaseclock

import (
	"time"

	"golang.org/x/sys/unix"
)

type systemClock struct{}

// System returns the clock of this machine.
func System() Clock { return systemClock{} }

// Now implements [Clock]. The boot clock is read last: what happens between
// the two readings makes a deadline earlier on the wall clock, never later.
func (systemClock) Now() Instant {
	wall := time.Duration(time.Now().UnixNano())
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		// Linux has had the clock since 2.6.39; a kernel that refuses it (a
		// seccomp filter) leaves no way to tell the age of a lease.
		panic("leaseclock: no boot clock: " + err.Error())
	}
	return Instant{Boot: time.Duration(ts.Nano()), Wall: wall}
}
