// Package wakeup lets the replicas of a service tell each other through
// PostgreSQL (LISTEN, NOTIFY) that there is something to read. It is a hint and
// nothing else: what is told while a connection is broken, or through a pooler
// of transactions, is never heard. Who is woken needs a poll of its own.
package wakeup

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// channel is the name in LISTEN. Notifications stay within one database.
const channel = "curfew_revocation"

const (
	// apart is the least time between two statements that tell, and between two
	// wakes: 200 in a second at most, however much happens.
	apart = 5 * time.Millisecond
	// tellLimit bounds one statement that tells. All NOTIFYs of a server wait
	// for one lock.
	tellLimit = time.Second
)

// Config is what a [Line] needs; all of it but Log.
type Config struct {
	// Pool is where Tell's statements run.
	Pool *pgxpool.Pool
	// Connect opens the connection that listens, in bounded time: a primary,
	// by the credentials of the moment.
	Connect func(context.Context) (*pgx.Conn, error)
	// Age is for how long a connection listens before another one does.
	Age time.Duration
	// Self is the sender of what this process tells, which does not wake it.
	Self string
	// Log is told of failures at level debug; nil is nobody.
	Log *slog.Logger
}

// Line is one process' end. Make it with New, then Run it. Its methods are safe
// for concurrent use.
type Line struct {
	cfg   Config
	told  chan struct{} // these three hold at most one signal
	heard chan struct{}
	wake  chan struct{}
}

// New returns a line that is not running yet.
func New(cfg Config) *Line {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Line{cfg: cfg, told: make(chan struct{}, 1), heard: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// Wake gets a signal when another process may have told something: at every
// new connection too, because nobody knows what was missed. Signals that nobody
// took are one.
func (l *Line) Wake() <-chan struct{} { return l.wake }

// Tell wakes the other processes soon, if all goes well. It must be called after
// the commit that they are to see. It never blocks.
func (l *Line) Tell() { signal(l.told) }

// Run tells and listens until ctx ends, and returns nil then. No failure ends it.
func (l *Line) Run(ctx context.Context) error {
	var all errgroup.Group
	all.SetLimit(3)
	for _, work := range []func(){
		func() { l.listen(ctx) },
		func() { pace(ctx, l.heard, func(context.Context) { signal(l.wake) }) },
		func() { pace(ctx, l.told, l.notify) },
	} {
		all.Go(func() error {
			work()
			return nil
		})
	}
	return all.Wait()
}

// pace does what the signals ask for, the first time at once, and for all that
// come close together once more.
func pace(ctx context.Context, signals <-chan struct{}, do func(context.Context)) {
	for {
		select {
		case <-signals:
			do(ctx)
		case <-ctx.Done():
			return
		}
		if !sleep(ctx, apart) {
			return
		}
	}
}

// notifySQL is a transaction of its own. Its commit holds a lock that all
// NOTIFYs of the server want, so it does not wait for the disk: there is nothing
// to lose.
const notifySQL = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`

func (l *Line) notify(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	if _, err := l.cfg.Pool.Exec(call, notifySQL, channel, l.cfg.Self); err != nil && ctx.Err() == nil {
		l.cfg.Log.DebugContext(ctx, "other replicas not woken, their poll finds it", slog.Any("error", err))
	}
}

// signal leaves one signal in a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits for d; it returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
