package leaseclock

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// One that is earlier would prolong leases.
func TestTheSharedObjectTellsTheTimeOfTheKernel(t *testing.T) {
	shared, kernel := systemClock{vdso: vdso()}, systemClock{}
	if shared.vdso == 0 {
		t.Fatal("no clock_gettime in the shared object of this kernel")
	}
	for range 100_000 {
		before := kernel.Now()
		now := shared.Now()
		after := kernel.Now()
		if now.Boot < before.Boot || now.Boot > after.Boot {
			t.Fatalf("boot clock: %d is not between %d and %d", now.Boot, before.Boot, after.Boot)
		}
		if now.Wall < before.Wall-time.Second || now.Wall > after.Wall+time.Second { // it may be set meanwhile, a little
			t.Fatalf("wall clock: %d is not between %d and %d", now.Wall, before.Wall, after.Wall)
		}
	}
}

func TestAClockThatTheSharedObjectDoesNotKnowIsNoTime(t *testing.T) {
	clock := systemClock{vdso: vdso()}
	if now, ok := clock.read(1 << 16); ok {
		t.Errorf("it is %d", now)
	}
	if _, ok := clock.read(unix.CLOCK_BOOTTIME); !ok {
		t.Error("the boot clock is not known")
	}
}

// The kernel's function runs on the stack of the goroutine: also at its very
// end, while stacks are moved and signals come.
func TestTheClockIsReadWhereverAStackEnds(t *testing.T) {
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err == nil { // else there is a profile already
		defer pprof.StopCPUProfile()
	}
	clock := systemClock{vdso: vdso()}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				done := make(chan struct{})
				go func() { // a new one has a small stack
					defer close(done)
					deeper(t, clock, 512)
				}()
				<-done
				runtime.GC()
			}
		})
	}
	wg.Wait()
}

// deeper reads the clock in a frame of 16 bytes or a few more than the last one.
//
//go:noinline
func deeper(t *testing.T, clock systemClock, left int) {
	before := clock.Now().Boot
	if left > 0 {
		deeper(t, clock, left-1)
	}
	if now := clock.Now().Boot; now < before {
		t.Errorf("%d is before %d", now, before)
	}
}

func BenchmarkSystemClock(b *testing.B) {
	for name, clock := range map[string]systemClock{"shared object": {vdso: vdso()}, "system call": {}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				clock.Now()
			}
		})
	}
}
