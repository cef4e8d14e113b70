package feed

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// The defaults of [Config]. A revoking call waits for a dead replica for at
// most DefaultTTL while all engines live, and for at most DefaultRowLease else,
// each plus the drift margin.
const (
	DefaultTTL      = 2800 * time.Millisecond
	DefaultRowLease = 6 * time.Second
	DefaultPoll     = 250 * time.Millisecond
	DefaultDrift    = 0.01
)

// Config is what an [Engine] needs. Store, Replica and Clock have no default.
// All engines over one store, and all watchers, must agree on TTL, RowLease
// and Drift; change them by a rolling restart upwards only, or stop all.
type Config struct {
	// Store is the feed and the rows.
	Store Store
	// Replica names this process, for people.
	Replica string
	// Incarnation is random per process; empty makes one.
	Incarnation string
	// TTL is the longest lease of a watcher.
	TTL time.Duration
	// RowLease is the lease of this engine's row, at least 2 TTL(1+Drift) + Poll:
	// else one dead watcher costs its engine the row.
	RowLease time.Duration
	// Poll is how often the feed is read without a wake-up.
	Poll time.Duration
	// Drift bounds how fast any two clocks may drift apart, as a ratio.
	Drift float64
	// Margin is how long before the end of the row lease the leases granted
	// under it end; TTL x Drift x 2 if zero.
	Margin time.Duration
	// Wake is a hint that the feed or a row may have changed (LISTEN/NOTIFY).
	// Nothing depends on it but speed. It may be nil.
	Wake <-chan struct{}
	// SendTimeout ends a stream whose watcher does not take a message for so
	// long; 2 TTL if zero.
	SendTimeout time.Duration
	// Clock counts the leases; leaseclock.System in production.
	Clock leaseclock.Clock
	// Logger; nothing is logged if nil.
	Logger *slog.Logger
	// Awaited, if there is one, is told what every revoking call waited for; complete is false where its deadline ended
	// first. It is called by many at once and must not block.
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
	if c.Margin == 0 {
		c.Margin = time.Duration(2 * c.Drift * float64(c.TTL))
	}
	if c.SendTimeout == 0 {
		c.SendTimeout = 2 * c.TTL
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
	case c.TTL <= 0 || c.Poll <= 0 || c.Margin < 0 || c.SendTimeout <= 0:
		return c, errors.New("feed: negative duration")
	case c.Margin >= c.TTL:
		return c, fmt.Errorf("feed: margin %s leaves nothing of a lease of %s", c.Margin, c.TTL)
	case c.RowLease < 2*leaseclock.Lengthen(c.TTL, c.Drift)+c.Poll:
		return c, fmt.Errorf("feed: row lease %s is shorter than two leases of %s and a poll of %s", c.RowLease, c.TTL, c.Poll)
	}
	if err := (message.Hello{ReplicaID: c.Replica, Incarnation: c.Incarnation}).Check(); err != nil {
		return c, fmt.Errorf("feed: %w", err)
	}
	return c, nil
}
