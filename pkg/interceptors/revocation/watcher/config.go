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

// Dial opens a stream to a server of the feed. It is called for every attempt,
// and each time should prefer another server than before. The stream must end
// when ctx does.
type Dial func(ctx context.Context) (message.ClientStream, error)

// The defaults of [Config].
const (
	DefaultTTL   = 2800 * time.Millisecond
	DefaultDrift = 0.01
	DefaultGrace = 5 * time.Second
)

// Config is what a [Watcher] needs. Dial and Replica are required; every other
// field that is zero takes its default.
type Config struct {
	// Dial reaches the servers.
	Dial Dial
	// Replica names this process for people. 1 to 200 bytes.
	Replica string
	// Incarnation identifies this process among those of the same name.
	// Default: random text. Never use a name that outlives the process.
	Incarnation string
	// TTL is the lease that the servers grant; it is renewed every TTL/3.
	// Default [DefaultTTL].
	TTL time.Duration
	// Drift is the most by which any two clocks drift apart, as a ratio. It
	// must be that of the servers. Default [DefaultDrift].
	Drift float64
	// Grace is how long running fail-closed calls may go on after the end of
	// the lease. Then they are cancelled with revocation.ErrStale. Default
	// [DefaultGrace].
	Grace time.Duration
	// Clock counts the lease. Default leaseclock.System.
	Clock leaseclock.Clock
	// Logger is optional.
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
