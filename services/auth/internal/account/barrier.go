package account

import (
	"context"
	"fmt"
	"time"
)

// Receipt is what is known when a revocation is in force everywhere.
type Receipt struct {
	Seq     int64
	Acked   int           // replicas that refuse and have cancelled
	Expired int           // replicas whose lease ran out
	Waited  time.Duration // after the commit
}

// Barrier waits until every replica refuses what was revoked at seq, for a
// bounded time. If ctx ends first, the error is a *PendingError.
type Barrier interface {
	Await(ctx context.Context, seq int64) (Receipt, error)
}

// PendingError says that a revocation is committed and not yet known to be in
// force everywhere. It is no failure: do not revoke again, wait for Seq.
type PendingError struct {
	Seq       int64
	InForceBy time.Time // at the latest
	Cause     error
}

// Error implements error.
func (e *PendingError) Error() string {
	return "the revocation is committed and in force at the latest at " + e.InForceBy.UTC().Format(time.RFC3339Nano)
}

// Unwrap returns why the wait ended.
func (e *PendingError) Unwrap() error { return e.Cause }

const (
	// commitLimit bounds a revoking transaction, which does not end with its
	// caller: an outcome that nobody knows could be answered neither with OK
	// nor with a failure.
	commitLimit = 10 * time.Second
	// answerMargin is left of the caller's deadline to answer a wait that took
	// too long.
	answerMargin = 100 * time.Millisecond
)

// revoke runs a revoking transaction to its end and waits until what it revoked
// is refused everywhere. Neither ends with the caller's context: the caller's
// own token may be what is being revoked, and then this process cancels the
// call like every other call of that token. The deadline counts.
func (s *Service) revoke(ctx context.Context, commit func(context.Context) (seq int64, err error)) (Receipt, error) {
	if ctx.Err() != nil {
		return Receipt{}, context.Cause(ctx)
	}
	detached := context.WithoutCancel(ctx)
	working, cancel := context.WithTimeout(detached, commitLimit)
	defer cancel()
	seq, err := commit(working)
	if err != nil && working.Err() != nil {
		// The caller's deadline is not what ended: the database took too long.
		return Receipt{}, fmt.Errorf("%w: no outcome of the revocation within %v", ErrStoreUnavailable, commitLimit)
	}
	if err != nil {
		return Receipt{}, err
	}
	wait := detached
	if deadline, ok := ctx.Deadline(); ok {
		var stop context.CancelFunc
		wait, stop = context.WithDeadline(detached, deadline.Add(-answerMargin))
		defer stop()
	}
	return s.barrier.Await(wait, seq)
}
