// Package redis is a revocation source that keeps its rules in Redis and asks
// it on every call: one MGET, one round trip.
//
// What it promises: a rule is in force on every replica when Revoke returns,
// as long as the primary that took it lives. What it does not: running calls
// are not cancelled, and while Redis does not answer nothing is known, so that
// every method refuses but those that introspect.
//
// Redis can forget, so the source does not believe it blindly. The keys of the
// rules must not be evicted: the policy has to be noeviction. And the marker,
// a key that Fill writes, names the run of the server that was filled: after a
// flush it is gone, after a restart or a failover the server is another one.
// Nothing is known then until Fill has written all rules again, from where
// they are kept durably. It needs Redis 7 and one primary (Sentinel is good,
// Cluster is not: the keys of a call lie in different slots).
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
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

	// server is what the newest connection said of itself.
	server atomic.Pointer[server]
}

// server is one run of a redis-server.
type server struct {
	run string // run_id
	bad error  // why it may forget, or is not the one to ask; nil if neither
}

var _ revocation.Asking = (*Source)(nil)

// New connects. It fails if the server cannot be reached, is a replica, or may
// evict keys.
func New(ctx context.Context, cfg Config) (*Source, error) {
	if cfg.Options == nil || cfg.Logger == nil || cfg.Options.OnConnect != nil {
		return nil, errors.New("redis revocations: options without OnConnect, and a logger, are required")
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
	options := *cfg.Options
	options.ContextTimeoutEnabled = true
	options.OnConnect = func(ctx context.Context, c *redis.Conn) error { return s.look(ctx, c) }
	s.client = redis.NewClient(&options)
	if err := s.client.Ping(ctx).Err(); err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("redis revocations: %w", err), s.client.Close())
	}
	if bad := s.server.Load().bad; bad != nil {
		cancel()
		return nil, errors.Join(bad, s.client.Close())
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

// CheckContext implements revocation.Asking.
func (s *Source) CheckContext(ctx context.Context, id *identity.Identity) revocation.Verdict {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	values, err := s.client.MGet(ctx, s.keys(id)...).Result()
	if err != nil || len(values) != lookups {
		s.cfg.Logger.WarnContext(ctx, "redis does not answer", slog.Any("error", err))
		return revocation.Verdict{StaleFor: revocation.Unknown}
	}
	// A rule that is there is final, whatever else was forgotten.
	v := revocation.Verdict{Revoked: revokes(values, id, time.Now()), StaleFor: revocation.Unknown}
	// After the look-up: a connection to another server made itself known first.
	if now := s.server.Load(); now.bad == nil && values[marker] == now.run {
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
			if err := s.look(ctx, s.client); err != nil && ctx.Err() == nil {
				s.cfg.Logger.WarnContext(ctx, "redis does not answer", slog.String("error", err.Error()))
			}
		case <-ctx.Done():
			return
		}
	}
}

// look asks the server who it is and how it is set. CONFIG is often disabled,
// INFO is not.
func (s *Source) look(ctx context.Context, c interface {
	Info(ctx context.Context, section ...string) *redis.StringCmd
},
) error {
	text, err := c.Info(ctx, "everything").Result()
	if err != nil {
		return fmt.Errorf("redis info: %w", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	now := &server{run: fields["run_id"]}
	switch {
	case now.run == "":
		now.bad = errors.New("redis revocations: the server does not say which run it is")
	case fields["maxmemory_policy"] != "noeviction":
		now.bad = fmt.Errorf("redis revocations: maxmemory_policy is %q, not noeviction: rules could be evicted", fields["maxmemory_policy"])
	case fields["role"] != "master":
		now.bad = fmt.Errorf("redis revocations: the server is a %q", fields["role"])
	}
	if before := s.server.Swap(now); now.bad != nil && (before == nil || before.bad == nil) {
		s.cfg.Logger.ErrorContext(ctx, "redis may forget revocations", slog.String("error", now.bad.Error()))
	}
	return nil
}
