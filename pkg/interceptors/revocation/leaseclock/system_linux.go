package leaseclock

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type systemClock struct {
	vdso uintptr // clock_gettime of the kernel's shared object; 0 if there is none
}

// System returns the clock of this machine.
func System() Clock { return systemClock{vdso: vdso()} }

// asked is the instant with the boot clock by a system call. It is read last:
// what happens between the two readings makes a deadline earlier on the wall
// clock, never later.
func asked() Instant {
	wall := time.Duration(time.Now().UnixNano())
	var ts unix.Timespec
	// Raw: the clock is read on every call and never blocks, so the scheduler
	// need not hear of it; that would double the price.
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&ts)), 0) //nolint:gosec // as package unix does it
	if errno != 0 {
		// Linux has had the clock since 2.6.39; a kernel that refuses it (a
		// seccomp filter) leaves no way to tell the age of a lease.
		panic("leaseclock: no boot clock: " + errno.Error())
	}
	return Instant{Boot: time.Duration(ts.Nano()), Wall: wall}
}
