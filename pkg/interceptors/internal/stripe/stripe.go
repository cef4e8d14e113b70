// Package stripe tells goroutines apart that run at the same moment, so that
// each writes to a stripe of its own: to memory that no other processor has in
// its cache.
package stripe

import "unsafe"

const (
	stackBits = 11 // no stack is smaller
	golden    = 0x9e3779b97f4a7c15
)

// Here is a number that is seldom the same for two goroutines at once, and often
// the same for those that run one after the other on a processor: it is made
// from where the stack lies, and stacks come from a free list of the processor.
// A goroutine that asks deeper in its stack, or after the stack has moved, may
// get another one. Nothing but speed may depend on any of that.
func Here() uint {
	var here byte
	return uint((uint64(uintptr(unsafe.Pointer(&here))) >> stackBits * golden) >> 40) //nolint:gosec // a number, never a pointer again
}
