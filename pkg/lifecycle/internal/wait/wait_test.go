package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsWaitedForIsAskedAtOnceNowAndThenAndWhenItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, wake := time.Now(), make(chan struct{})
		until := func(d time.Duration) func() bool { return func() bool { return time.Since(start) >= d } }
		for _, c := range []struct{ after, seen time.Duration }{{0, 0}, {time.Millisecond, pause}, {pause + 1, 2 * pause}} {
			start = time.Now()
			if err := Until(t.Context(), nil, until(c.after)); err != nil || time.Since(start) != c.seen {
				t.Errorf("seen after %v, want %v, error %v", time.Since(start), c.seen, err)
			}
		}
		start = time.Now()
		time.AfterFunc(time.Millisecond, func() { close(wake) })
		if err := Until(t.Context(), wake, func() bool { return Closed(wake) }); err != nil || time.Since(start) != time.Millisecond {
			t.Errorf("told after %v, error %v", time.Since(start), err)
		}
	})
}

func TestAWaitEndsWithTheCauseOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
		defer cancel()
		if err := Until(ctx, nil, func() bool { return false }); !errors.Is(err, cause) {
			t.Error(err)
		}
	})
}
