// Package stripe tells goroutines apart that run at the same moment, so that
// each writes to a stripe of its own: to memory that no other processor has in
// its cache.
package stripe

import "unsafe"

const (
	// stackBits: most stacks are not smaller than this, and the frames of one
	// call lie closer together.
	stackBits = 12
	golden    = 0x9e3779b97f4a7c15
)

// Here is a number that is the same wherever a goroutine asks in one call, as
// a rule, and another one for another goroutine. It is made from where the
// stack lies. Stacks come from a free list of the processor, so goroutines that
// run one after the other on a processor often have the same number. Nothing
// but speed may depend on any of that.
func Here() uint {
	var here byte
	return uint((uint64(uintptr(unsafe.Pointer(&here))) >> stackBits * golden) >> 40) //nolint:gosec // a number, never a pointer again
}
