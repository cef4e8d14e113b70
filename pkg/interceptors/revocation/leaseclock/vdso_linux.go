//go:build !amd64

package leaseclock

// vdso is 0: the boot clock is asked of the kernel. On arm64 a signal handler
// finds its goroutine in a register that the kernel's function may be using.
func vdso() uintptr { return 0 }

// Now implements [Clock].
func (systemClock) Now() Instant { return asked() }
