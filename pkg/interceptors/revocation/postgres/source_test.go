package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/postgres"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/revocationtest"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = 10 * time.Second

var caller = &identity.Identity{Issuer: "https://auth.curfew.dev", Subject: "sub", SessionID: "sid", TokenID: "jti", KeyID: "kid", Epoch: 5}

// migrate runs the schema twice: it must not mind.
func migrate(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, postgres.Schema+";"+postgres.Schema)
	return errors.Join(err, conn.Close(ctx))
}

func open(t testing.TB) (*postgres.Source, *pgxpool.Pool) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t, migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s, err := postgres.New(pool, slog.New(slog.DiscardHandler), postgres.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	return s, pool
}

func session() revocation.Rule {
	return revocation.Rule{Kind: revocation.KindSession, Issuer: caller.Issuer, ID: caller.SessionID, KeepUntil: time.Now().Add(time.Hour)}
}

func admit(t *testing.T, s *postgres.Source, want error) {
	t.Helper()
	// Not even a method that goes on for long with old knowledge admits.
	if err := s.Check(caller).Admit(time.Hour); !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}

func TestTheSourceKeepsWhatEverySourcePromises(t *testing.T) {
	revocationtest.RunSource(t, func(t *testing.T) revocationtest.Backend {
		t.Helper()
		s, pool := open(t)
		return revocationtest.Backend{Source: s, Revoke: func(rules ...revocation.Rule) error {
			return postgres.Revoke(context.Background(), pool, rules...)
		}}
	})
}

func TestARuleIsInForceWithTheTransactionOfItsChange(t *testing.T) {
	s, pool := open(t)
	for _, commit := range []bool{false, true} {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := postgres.Revoke(t.Context(), tx, session()); err != nil {
			t.Fatal(err)
		}
		admit(t, s, nil)
		if !commit {
			_ = tx.Rollback(t.Context())
			admit(t, s, nil)
			continue
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		admit(t, s, revocation.ErrRevoked)
	}
}

func TestARuleIsOnTheDiskWhenItsTransactionHasCommitted(t *testing.T) {
	_, pool := open(t)
	for set, want := range map[string]string{"off": "on", "remote_apply": "remote_apply"} {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT set_config('synchronous_commit', $1, true)`, set); err != nil {
			t.Fatal(err)
		}
		if err := postgres.Revoke(t.Context(), tx, session()); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := tx.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&got); err != nil || got != want {
			t.Errorf("%s became %q, want %q: %v", set, got, want, err)
		}
		_ = tx.Rollback(t.Context())
	}
}

func TestWithoutThePrimaryNothingIsKnown(t *testing.T) {
	s, pool := open(t)
	admit(t, s, nil)
	pool.Close()
	admit(t, s, revocation.ErrStale)
}

// standby answers as a standby does, which lags.
type standby struct{ postgres.DB }

func (d standby) QueryRow(ctx context.Context, _ string, args ...any) pgx.Row {
	return d.DB.QueryRow(ctx, `SELECT true, $2 = 'revoked' AND $1||$3||$4||$5||$6::bigint IS NOT NULL`, args...)
}

func TestWhatAStandbyDoesNotHaveMayBeInForce(t *testing.T) {
	_, pool := open(t)
	s, err := postgres.New(standby{pool}, slog.New(slog.DiscardHandler), postgres.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	admit(t, s, revocation.ErrStale)
	known := *caller
	known.TokenID = "revoked"
	if err := s.Check(&known).Admit(0); !errors.Is(err, revocation.ErrRevoked) {
		t.Errorf("what it has is final: %v", err)
	}
}

func TestRulesThatEndedAreForgottenInBatches(t *testing.T) {
	s, pool := open(t)
	old := session()
	old.KeepUntil = time.Now().Add(-time.Second)
	for i := range 5 {
		old.ID = string(rune('a' + i))
		if err := postgres.Revoke(t.Context(), pool, old); err != nil {
			t.Fatal(err)
		}
	}
	// An earlier end does not replace a later one.
	early := session()
	early.KeepUntil = old.KeepUntil
	if err := postgres.Revoke(t.Context(), pool, session(), early); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Revoke(t.Context(), pool, early); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 2, 0} {
		if n, err := postgres.Expire(t.Context(), pool, 3); err != nil || n != want {
			t.Errorf("forgot %d, want %d: %v", n, want, err)
		}
	}
	admit(t, s, revocation.ErrRevoked)
}

func TestTheSameRulesInAnyOrderDoNotDeadlock(t *testing.T) {
	_, pool := open(t)
	forward := make([]revocation.Rule, 50)
	for i := range forward {
		forward[i] = session()
		forward[i].ID = string(rune('A' + i))
	}
	backward := make([]revocation.Rule, len(forward))
	for i, r := range forward {
		backward[len(forward)-1-i] = r
	}
	var wg sync.WaitGroup
	for _, rules := range [][]revocation.Rule{forward, backward, forward, backward} {
		wg.Go(func() {
			for range 25 {
				if err := postgres.Revoke(t.Context(), pool, rules...); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCheck(b *testing.B) {
	s, _ := open(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Check(caller).Admit(0); err != nil {
			b.Fatal(err)
		}
	}
}
