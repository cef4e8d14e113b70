package feed

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// The defaults of [Config]. A revoking call waits for a dead watcher for at
// most DefaultTTL while all engines live, and for a dead engine for at most
// DefaultRowLease, each lengthened by DefaultDrift.
const (
	DefaultTTL      = 2800 * time.Millisecond
	DefaultRowLease = 6 * time.Second
	DefaultPoll     = 250 * time.Millisecond
	DefaultDrift    = 0.01
)

// Config is what an [Engine] needs. Store and Replica are required; every other
// field that is zero takes its default. All engines over one store and all
// their watchers must agree on TTL, RowLease and Drift. Change these upwards
// only, by a rolling restart; to lower one, stop all processes first.
type Config struct {
	// Store keeps the feed and the rows of the engines.
	Store Store
	// Replica names this process for people. 1 to 200 bytes.
	Replica string
	// Incarnation identifies this process among those of the same name.
	// Default: random text.
	Incarnation string
	// TTL is the longest lease of a watcher. Default [DefaultTTL].
	TTL time.Duration
	// RowLease is the lease of the row, at least 2 TTL(1+Drift) + Poll:
	// otherwise one dead watcher could make its engine lose the row. Default
	// [DefaultRowLease].
	RowLease time.Duration
	// Poll is how often the feed is read if nothing wakes the engine. Default
	// [DefaultPoll].
	Poll time.Duration
	// Drift is the most by which any two clocks drift apart, as a ratio between
	// 0 and 0.5. Default [DefaultDrift].
	Drift float64
	// Wake says that the feed or a row may have changed (LISTEN/NOTIFY). It
	// only makes things faster, and may be nil.
	Wake <-chan struct{}
	// Clock counts the leases. Default leaseclock.System.
	Clock leaseclock.Clock
	// Logger is optional.
	Logger *slog.Logger
	// Awaited, if set, is told what every revoking call waited for. complete is
	// false if the deadline of the call ended first. It is called concurrently
	// and must not block.
	Awaited func(r Receipt, complete bool)
}

func (c Config) complete() (Config, error) {
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.RowLease == 0 {
		c.RowLease = DefaultRowLease
	}
	if c.Poll == 0 {
		c.Poll = DefaultPoll
	}
	if c.Drift == 0 {
		c.Drift = DefaultDrift
	}
	if c.Clock == nil {
		c.Clock = leaseclock.System()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Incarnation == "" {
		c.Incarnation = newIncarnation()
	}
	switch {
	case c.Store == nil:
		return c, errors.New("feed: no store")
	case c.Replica == "":
		return c, errors.New("feed: no replica name")
	case c.Drift <= 0 || c.Drift >= 0.5:
		return c, fmt.Errorf("feed: drift %v is not between 0 and 0.5", c.Drift)
	case c.TTL <= 0 || c.Poll <= 0:
		return c, errors.New("feed: negative duration")
	case c.RowLease < 2*leaseclock.Lengthen(c.TTL, c.Drift)+c.Poll:
		return c, fmt.Errorf("feed: row lease %s is shorter than two leases of %s and a poll of %s", c.RowLease, c.TTL, c.Poll)
	}
	if err := (message.Hello{ReplicaID: c.Replica, Incarnation: c.Incarnation}).Check(); err != nil {
		return c, fmt.Errorf("feed: %w", err)
	}
	return c, nil
}

// margin is how long before the end of the row lease the leases granted under it
// end: the clocks by which the two are counted drift apart.
func (c Config) margin() time.Duration { return time.Duration(2 * c.Drift * float64(c.TTL)) }

// sendTimeout is for how long a watcher may take no message of its stream.
func (c Config) sendTimeout() time.Duration { return 2 * c.TTL }
