package creds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/util/backoffutils"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

const (
	pauseBase = 100 * time.Millisecond
	pauseMax  = 2 * time.Second
	// adviceMax bounds the pause that a server asks for: a user who logs in
	// again is not to wait for ever.
	adviceMax = 30 * time.Second
)

// waitAfter is how long to wait after failure number n, from 0: doubled each
// time, with jitter, and at least what the failure itself asks for (RetryInfo).
func waitAfter(n uint, err error) time.Duration {
	d := backoffutils.JitterUp(min(pauseBase<<min(n, 5), pauseMax), 0.2)
	return max(d, advice(err))
}

// advice is what a server said about when to ask again.
func advice(err error) time.Duration {
	if info := status.Detail[*errdetails.RetryInfo](err); info != nil {
		return min(info.GetRetryDelay().AsDuration(), adviceMax)
	}
	return 0
}

// sleep waits for d or the end of ctx, whose cause it returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pause: %w", context.Cause(ctx))
	}
}

// pause keeps renewals that fail apart, however many calls ask. The zero value
// is no pause.
type pause struct {
	failures uint
	until    time.Time
	last     error
}

// failed notes a renewal that failed. That a session is over is no reason to
// wait: nobody is asked then, and the user may log in at any moment.
func (p *pause) failed(err error, now time.Time) {
	if errors.Is(err, ErrSignedOut) {
		*p = pause{}
		return
	}
	p.until = now.Add(waitAfter(p.failures, err))
	p.failures++
	p.last = err
}

func (p *pause) left(now time.Time) time.Duration { return p.until.Sub(now) }

// refuses returns the last failure if the pause is longer than a call should
// wait for it.
func (p *pause) refuses(now time.Time) error {
	if p.left(now) > 2*pauseMax {
		return p.last
	}
	return nil
}
