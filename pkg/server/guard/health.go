package guard

import (
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Health says how well w knows the revocations: a process is unready until it
// has known them once, and degraded while its lease is lost. Calls are then
// refused one by one, as their methods say; to take the process away would help
// nobody, since all replicas are tied to the same feed.
func Health(w *watcher.Watcher) func() lifecycle.Health {
	return func() lifecycle.Health {
		select {
		case <-w.Ready():
		default:
			return lifecycle.Health{Condition: lifecycle.Unready, Reason: "waits for the first snapshot of the revocations"}
		}
		if left := w.Status().Lease; left <= 0 {
			return lifecycle.Health{
				Condition: lifecycle.Degraded,
				Reason:    "no lease on the revocations for " + (-left).Truncate(time.Second).String(),
			}
		}
		return lifecycle.Health{}
	}
}
