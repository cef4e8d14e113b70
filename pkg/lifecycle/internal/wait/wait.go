// Package wait is how the parts of servers wait for what can only be asked for.
package wait

import (
	"context"
	"time"
)

// pause is how long nothing is asked.
const pause = 25 * time.Millisecond

// Until returns when done says so, or with the cause of the end of ctx. It asks now and then, and at once when wake
// closes, which may be nil.
func Until(ctx context.Context, wake <-chan struct{}, done func() bool) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-wake:
			wake = nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Closed tells whether c is.
func Closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
