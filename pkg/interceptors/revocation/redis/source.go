// Package redis is a revocation source that keeps its rules in Redis and asks
// it on every call: one script, one round trip.
//
// What it promises: a rule is in force on every replica when Revoke returns,
// as long as the primary that took it lives. What it does not: running calls
// are not cancelled, and while Redis does not answer nothing is known, so that
// every method refuses but those that introspect.
//
// Redis can forget, so the source does not believe it blindly. The keys of the
// rules must not be evicted: the policy has to be noeviction. And the marker,
// a key that Fill writes, names the server that was filled, its place in the
// replication and the number of keys that it had evicted. The script that looks
// for the rules compares it with the server that runs it: after a flush it is
// gone, after a restart, a failover, a demotion or an eviction it is another
// one's. Nothing is known then until Fill has written all rules again, from
// where they are kept durably. It needs Redis 7 and one primary (Sentinel is
// good, Cluster is not: the keys of a call lie in different slots).
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

// Config is what a source needs. Zero fields take their defaults, but for
// Options and Logger.
type Config struct {
	// Options of the connections to the primary. OnConnect must be free.
	Options *redis.Options
	// Logger takes what makes the knowledge unknown.
	Logger *slog.Logger
	// Prefix of all keys. Default "curfew:revocation:".
	Prefix string
	// Timeout of one look-up. Default 250 ms.
	Timeout time.Duration
	// Recheck is the time between two looks at the settings of the server.
	// Default 1 min.
	Recheck time.Duration
}

// Source asks Redis. Create it with New, Close it. Safe for concurrent use.
type Source struct {
	cfg    Config
	client *redis.Client
	cancel context.CancelFunc
	done   chan struct{}

	servers servers
}

var _ revocation.ContextSource = (*Source)(nil)

// New connects. It fails if the server cannot be reached, is a replica, or may
// evict keys.
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
