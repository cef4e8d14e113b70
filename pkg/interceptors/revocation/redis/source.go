// Package redis is a revocation source that keeps its rules in Redis and asks
// it on every call: one script, one round trip.
//
// A rule is in force on every replica when Revoke returns, for as long as the
// primary that took it lives. Running calls are not cancelled. While Redis does
// not answer, nothing is known, and all methods refuse calls, except those that
// introspect.
//
// Redis can forget rules, so the source does not trust it blindly. The eviction
// policy must be noeviction. Fill writes a marker, a key that names the server,
// its place in the replication, and how many keys it had evicted. The script
// that looks for rules compares the marker with the server on which it runs.
// After a flush the marker is gone; after a restart, a failover, a demotion or
// an eviction it is that of another server. Nothing is known then until Fill
// has written all rules again, from where they are kept durably.
//
// It needs Redis 7 with one primary. Sentinel works; Cluster does not, because
// the keys of one call lie in different slots.
package redis

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// Config is what a [Source] needs. Options and Logger are required.
type Config struct {
	// Options of the connections to the primary. OnConnect must not be set.
	Options *redis.Options
	// Logger is told why the knowledge is not fresh.
	Logger *slog.Logger
	// Prefix of all keys. Default "curfew:revocation:".
	Prefix string
	// Timeout of one look-up. Default 250 ms.
	Timeout time.Duration
	// Recheck is how often the settings of the server are checked. Default 1
	// min.
	Recheck time.Duration
}

// Source asks Redis. Create it with [New] and Close it. Safe for concurrent
// use.
type Source struct {
	cfg    Config
	client *redis.Client
	cancel context.CancelFunc
	done   chan struct{}

	servers servers
}

var _ revocation.ContextSource = (*Source)(nil)

// New connects to Redis. It fails if the server cannot be reached, is a
// replica, or may evict keys.
func New(ctx context.Context, cfg Config) (*Source, error) {
	if cfg.Options == nil || cfg.Logger == nil || cfg.Options.OnConnect != nil {
		return nil, errors.New("redis revocations: options without OnConnect, and a logger, are required")
	}
	if cfg.Timeout < 0 || cfg.Recheck < 0 {
		return nil, errors.New("redis revocations: negative duration")
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "curfew:revocation:"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 250 * time.Millisecond
	}
	if cfg.Recheck == 0 {
		cfg.Recheck = time.Minute
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Source{cfg: cfg, cancel: cancel, done: make(chan struct{})}
	s.servers.left, s.servers.open = map[string]struct{}{}, map[*link]struct{}{}
	options := *cfg.Options
	options.ContextTimeoutEnabled = true
	if options.DialTimeout == 0 {
		options.DialTimeout = 5 * time.Second
	}
	if options.Dialer == nil {
		plain := options
		options.Dialer = redis.NewDialer(&plain)
	}
	options.Dialer = s.servers.dial(options.Dialer)
	options.OnConnect = func(ctx context.Context, c *redis.Conn) error {
		_, _, err := s.look(ctx, c, true)
		return err
	}
	s.client = redis.NewClient(&options)
	a, _, err := s.look(ctx, s.client, false)
	if err == nil && a.bad != "" {
		err = errors.New("redis revocations: " + a.bad)
	}
	if err != nil {
		cancel()
		return nil, errors.Join(err, s.client.Close())
	}
	go s.recheck(run)
	return s, nil
}

// Close ends the connections.
func (s *Source) Close() error {
	s.cancel()
	<-s.done
	return s.client.Close()
}

// CheckContext implements revocation.ContextSource.
func (s *Source) CheckContext(ctx context.Context, id *identity.Identity) revocation.Verdict {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	a, full, err := s.run(ctx, s.client, check, false, s.keys(id))
	if err == nil && len(a.values) != lookups {
		err = errors.New("redis revocations: an answer is too short")
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "redis does not answer", slog.String("error", err.Error()))
		return revocation.Verdict{StaleFor: revocation.Unknown}
	}
	// A rule that is there is final, whatever else was forgotten.
	v := revocation.Verdict{Revoked: revokes(a.values, id, time.Now()), StaleFor: revocation.Unknown}
	if full {
		v.Fresh, v.StaleFor = true, 0
	}
	return v
}

// Check implements revocation.Source.
func (s *Source) Check(id *identity.Identity) revocation.Verdict {
	return s.CheckContext(context.Background(), id)
}

// recheck looks at the settings now and then: they can be changed at any time.
func (s *Source) recheck(ctx context.Context) {
	defer close(s.done)
	t := time.NewTicker(s.cfg.Recheck)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if _, _, err := s.look(ctx, s.client, false); err != nil && ctx.Err() == nil {
				s.cfg.Logger.WarnContext(ctx, "redis does not answer", slog.String("error", err.Error()))
			}
		case <-ctx.Done():
			return
		}
	}
}

// look asks the server who it is and how it is set.
func (s *Source) look(ctx context.Context, c redis.Scripter, connected bool) (answer, bool, error) {
	return s.run(ctx, c, check, connected, []string{s.marker()})
}
