package redis_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/redis"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/revocationtest"
	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	localredis "github.com/curfew-platform/curfew/pkg/localenv/redis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

var caller = &identity.Identity{Issuer: "https://auth.curfew.dev", Subject: "sub", SessionID: "sid", TokenID: "jti", KeyID: "kid", Epoch: 5}

// rig is a real redis-server that a test can stop.
type rig struct {
	t       *testing.T
	server  *localredis.Server
	process *daemon.Process
	admin   *goredis.Client
}

func newRig(t *testing.T) *rig {
	t.Helper()
	server, err := localredis.Prepare(t.Context(), t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, server: server, admin: goredis.NewClient(&goredis.Options{Addr: server.Address()})}
	r.start()
	t.Cleanup(func() {
		_ = r.admin.Close()
		r.stop()
	})
	return r
}

func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if r.process, err = daemon.Start(r.server.Spec()); err != nil {
		r.t.Fatal(err)
	}
	if err := r.process.Await(ctx, r.server.Ready); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.process.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) open(change ...func(*redis.Config)) (*redis.Source, error) {
	cfg := redis.Config{
		Options: &goredis.Options{Addr: r.server.Address()}, Logger: slog.New(slog.DiscardHandler),
		Timeout: 10 * time.Second, Recheck: 20 * time.Millisecond,
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := redis.New(r.t.Context(), cfg)
	if err == nil {
		r.t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// source is one that is filled with nothing.
func (r *rig) source() *redis.Source {
	r.t.Helper()
	s, err := r.open()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.Fill(r.t.Context(), these()); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// these is what is kept durably elsewhere.
func these(rules ...revocation.Rule) iter.Seq2[revocation.Rule, error] {
	return func(yield func(revocation.Rule, error) bool) {
		for _, r := range rules {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func session() revocation.Rule {
	return revocation.Rule{Kind: revocation.KindSession, Issuer: caller.Issuer, ID: caller.SessionID, KeepUntil: time.Now().Add(time.Hour)}
}

func admit(t *testing.T, s *redis.Source, want error) {
	t.Helper()
	// Not even a method that goes on for long with old knowledge admits.
	if err := s.Check(caller).Admit(time.Hour); !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}

// becomes waits until a check gives want.
func becomes(t *testing.T, s *redis.Source, want error) {
	t.Helper()
	deadline := time.After(patience)
	for !errors.Is(s.Check(caller).Admit(0), want) {
		select {
		case <-deadline:
			t.Fatalf("still %v, want %v", s.Check(caller).Admit(0), want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestTheSourceKeepsWhatEverySourcePromises(t *testing.T) {
	r := newRig(t)
	revocationtest.RunSource(t, func(t *testing.T) revocationtest.Backend {
		t.Helper()
		if err := r.admin.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		one := *r
		one.t = t
		s := one.source()
		return revocationtest.Backend{Source: s, Revoke: func(rules ...revocation.Rule) error {
			return s.Revoke(context.Background(), rules...)
		}}
	})
}

func TestAServerThatWasNeverFilledKnowsNothing(t *testing.T) {
	s, err := newRig(t).open()
	if err != nil {
		t.Fatal(err)
	}
	admit(t, s, revocation.ErrStale)
	if err := s.Revoke(t.Context(), session()); err != nil {
		t.Fatal(err)
	}
	admit(t, s, revocation.ErrRevoked) // what it does know is final
}

func TestAServerThatWasFlushedKnowsNothingUntilItIsFilledAgain(t *testing.T) {
	r := newRig(t)
	s := r.source()
	if err := s.Revoke(t.Context(), session()); err != nil {
		t.Fatal(err)
	}
	if err := r.admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	admit(t, s, revocation.ErrStale)
	if err := s.Fill(t.Context(), these(session())); err != nil {
		t.Fatal(err)
	}
	admit(t, s, revocation.ErrRevoked)
}

// The new run has every key, the marker included: what it lost is what came
// after its last save, or what a failover did not copy.
func TestAServerThatRestartedKnowsNothingUntilItIsFilledAgain(t *testing.T) {
	r := newRig(t)
	s := r.source()
	admit(t, s, nil)
	if err := r.admin.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), session()); err != nil {
		t.Fatal(err)
	}
	r.stop()
	admit(t, s, revocation.ErrStale)
	r.start()
	if n := r.admin.Exists(t.Context(), "curfew:revocation:filled").Val(); n != 1 {
		t.Fatal("the marker is lost, so this test shows nothing")
	}
	for range 50 {
		admit(t, s, revocation.ErrStale)
	}
	if err := s.Fill(t.Context(), these(session())); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, revocation.ErrRevoked)
}

func TestAServerThatForgetsWhileItIsFilledIsNotFull(t *testing.T) {
	r := newRig(t)
	s := r.source()
	err := s.Fill(t.Context(), func(yield func(revocation.Rule, error) bool) {
		if err := s.Revoke(t.Context(), session()); err != nil {
			t.Error(err)
		}
		if err := r.admin.FlushAll(t.Context()).Err(); err != nil {
			t.Error(err)
		}
	})
	if err == nil {
		t.Error("called full")
	}
	admit(t, s, revocation.ErrStale)
}

func TestAFillThatFailsMarksNothing(t *testing.T) {
	s, err := newRig(t).open()
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the database is away")
	err = s.Fill(t.Context(), func(yield func(revocation.Rule, error) bool) {
		_ = yield(session(), nil) && yield(revocation.Rule{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	other := *caller
	other.SessionID = "another"
	if err := s.Check(&other).Admit(0); !errors.Is(err, revocation.ErrStale) {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatEvictsIsRefusedAtTheStartAndUnknownLater(t *testing.T) {
	r := newRig(t)
	s := r.source()
	admit(t, s, nil)
	if err := r.admin.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.open(); err == nil {
		t.Error("taken at the start")
	}
	becomes(t, s, revocation.ErrStale)
	if err := r.admin.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err(); err != nil {
		t.Fatal(err)
	}
	// What was evicted does not come back with the setting.
	for range 50 {
		admit(t, s, revocation.ErrStale)
	}
	if err := s.Fill(t.Context(), these()); err != nil {
		t.Fatal(err)
	}
	admit(t, s, nil)
}

func TestAReplicaIsNotAsked(t *testing.T) {
	primary, r := newRig(t), newRig(t)
	s := r.source()
	if err := r.admin.Do(t.Context(), "REPLICAOF", "127.0.0.1", primary.admin.Options().Addr[len("127.0.0.1:"):]).Err(); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, revocation.ErrStale)
	if _, err := r.open(); err == nil {
		t.Error("a replica is taken at the start")
	}
}

func TestAnEndIsNeverBroughtForward(t *testing.T) {
	r := newRig(t)
	s := r.source()
	long, short := session(), session()
	short.KeepUntil = time.Now().Add(time.Minute)
	for _, rule := range []revocation.Rule{short, long, short} {
		if err := s.Revoke(t.Context(), rule); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := r.admin.Keys(t.Context(), "*session*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	if ttl := r.admin.PTTL(t.Context(), keys[0]).Val(); ttl < 59*time.Minute || ttl > time.Hour {
		t.Errorf("kept for %s", ttl)
	}
}

func BenchmarkCheck(b *testing.B) {
	server, err := localredis.Prepare(b.Context(), b.TempDir(), 0)
	if err != nil {
		b.Fatal(err)
	}
	process, err := daemon.Start(server.Spec())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = process.Stop(context.Background()) }()
	if err := process.Await(b.Context(), server.Ready); err != nil {
		b.Fatal(err)
	}
	s, err := redis.New(b.Context(), redis.Config{Options: &goredis.Options{Addr: server.Address()}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Fill(b.Context(), these()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Check(caller).Admit(0); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAConfigurationThatIsWrongIsRefusedWithItsReason(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct {
		spoil func(*redis.Config)
		about string
	}{
		"no options":               {func(c *redis.Config) { c.Options = nil }, "options"},
		"no logger":                {func(c *redis.Config) { c.Logger = nil }, "logger"},
		"a hook that is needed":    {func(c *redis.Config) { c.Options.OnConnect = func(context.Context, *goredis.Conn) error { return nil } }, "OnConnect"},
		"an answer before it":      {func(c *redis.Config) { c.Timeout = -1 }, "negative"},
		"looks that never end":     {func(c *redis.Config) { c.Recheck = -1 }, "negative"},
		"nobody is at the address": {func(c *redis.Config) { c.Options.Addr = "127.0.0.1:1" }, "redis revocations"},
	} {
		_, err := r.open(func(cfg *redis.Config) {
			options := *cfg.Options
			cfg.Options = &options
			c.spoil(cfg)
		})
		if err == nil || !strings.Contains(err.Error(), c.about) {
			t.Errorf("%s: got %v, want an error about %q", name, err, c.about)
		}
	}
}
