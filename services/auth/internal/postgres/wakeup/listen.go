package wakeup

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// firstPause is before the second attempt to connect; each one after it is
	// twice as long, up to longestPause.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// checkEvery is how soon a connection is asked whether it lives where nothing
	// is told: of a cut link nothing is heard.
	checkEvery = 15 * time.Second
	// callLimit bounds each statement of the connection, and closeLimit its end.
	callLimit  = 5 * time.Second
	closeLimit = time.Second
)

// listen has a connection that listens, and another one when it breaks.
func (l *Line) listen(ctx context.Context) {
	pause := firstPause
	for {
		listened, err := l.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.cfg.Log.DebugContext(ctx, "not listening to other replicas, the poll goes on", slog.Any("error", err))
		}
		if listened {
			pause = firstPause
		}
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// hear listens on one connection until it breaks, or is old, which is no error.
// It says whether it ever listened.
func (l *Line) hear(ctx context.Context) (listened bool, err error) {
	conn, err := l.cfg.Connect(ctx)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		_ = conn.Close(end) // whatever it says, it is of no more use
	}()
	end := time.Now().Add(l.cfg.Age)
	if err := bounded(ctx, func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "LISTEN "+channel)
		return err
	}); err != nil {
		return false, fmt.Errorf("listen: %w", err)
	}
	signal(l.heard) // what was told before was missed
	for {
		left := time.Until(end)
		if left <= 0 {
			return true, nil
		}
		if err := l.next(ctx, conn, min(left, checkEvery)); err != nil {
			return true, err
		}
	}
}

// next waits for one notification. Where none comes it asks whether the
// connection lives.
func (l *Line) next(ctx context.Context, conn *pgx.Conn, longest time.Duration) error {
	wait, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	n, err := conn.WaitForNotification(wait)
	switch {
	case err == nil:
		if n.Payload != l.cfg.Self {
			signal(l.heard)
		}
		return nil
	case ctx.Err() != nil || wait.Err() == nil || conn.IsClosed():
		return fmt.Errorf("wait: %w", err)
	}
	if err := bounded(ctx, conn.Ping); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}

func bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return do(ctx)
}
