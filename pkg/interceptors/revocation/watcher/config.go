package watcher

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// Dial opens a stream to a server of the feed. It is called again for every
// attempt, and should then prefer another server than the last time. The
// stream ends with ctx.
type Dial func(ctx context.Context) (message.ClientStream, error)

// The defaults of [Config].
const (
	DefaultTTL   = 2800 * time.Millisecond
	DefaultDrift = 0.01
	DefaultGrace = 5 * time.Second
)

// Config is what a [Watcher] needs. Dial, Replica and Clock have no default.
type Config struct {
	// Dial reaches the servers.
	Dial Dial
	// Replica names this process, for people.
	Replica string
	// Incarnation is random per process; empty makes one. Never a name that
	// outlives the process.
	Incarnation string
	// TTL is the lease that the servers grant; a renewal is sent every TTL/3
	// at the latest.
	TTL time.Duration
	// Drift bounds how fast any two clocks may drift apart, as a ratio. It must
	// be that of the servers.
	Drift float64
	// Grace is how long after the end of the lease running fail-closed calls
	// may go on; then they are cancelled with revocation.ErrStale.
	Grace time.Duration
	// Clock counts the lease; leaseclock.System in production.
	Clock leaseclock.Clock
	// Logger; nothing is logged if nil.
	Logger *slog.Logger
}

func (c Config) complete() (Config, error) {
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.Drift == 0 {
		c.Drift = DefaultDrift
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.Incarnation == "" {
		c.Incarnation = rand.Text()
	}
	if c.Clock == nil {
		c.Clock = leaseclock.System()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Dial == nil:
		return c, errors.New("watcher: no way to reach a server")
	case c.Replica == "":
		return c, errors.New("watcher: no replica name")
	case c.Drift <= 0 || c.Drift >= 0.5:
		return c, fmt.Errorf("watcher: drift %v is not between 0 and 0.5", c.Drift)
	case c.TTL <= 0 || c.Grace < 0:
		return c, errors.New("watcher: negative duration")
	}
	if err := (message.Hello{ReplicaID: c.Replica, Incarnation: c.Incarnation}).Check(); err != nil {
		return c, fmt.Errorf("watcher: %w", err)
	}
	return c, nil
}
