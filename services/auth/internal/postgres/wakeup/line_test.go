package wakeup_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres/wakeup"
)

const patience = 20 * time.Second

// end is a line that runs, and what it needed.
type end struct {
	*wakeup.Line
	pool      *pgxpool.Pool
	connected atomic.Int32
	stop      func() // waits until Run has returned
}

func run(t *testing.T, url, self string, change ...func(*wakeup.Config)) *end {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	e := &end{pool: pool}
	cfg := wakeup.Config{Pool: pool, Self: self, Age: time.Hour, Connect: func(ctx context.Context) (*pgx.Conn, error) {
		e.connected.Add(1)
		return pgx.Connect(ctx, url)
	}}
	for _, c := range change {
		c(&cfg)
	}
	e.Line = wakeup.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stopped := false
	e.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run has not returned")
		}
	}
	t.Cleanup(e.stop)
	return e
}

func (e *end) awaitWake(t *testing.T, what string) {
	t.Helper()
	select {
	case <-e.Wake():
	case <-time.After(patience):
		t.Fatalf("no wake %s", what)
	}
}

func TestTellWakesTheOthersAndNotOneself(t *testing.T) {
	url := pgtest.Database(t, nil)
	one, two := run(t, url, "one"), run(t, url, "two")
	one.awaitWake(t, "at the first connection of one")
	two.awaitWake(t, "at the first connection of two")
	one.Tell()
	two.awaitWake(t, "by the other")
	select {
	case <-one.Wake():
		t.Error("woken by itself")
	case <-time.After(200 * time.Millisecond):
	}
	two.Tell()
	one.awaitWake(t, "by the other")
}

func TestEveryNewConnectionWakes(t *testing.T) {
	e := run(t, pgtest.Database(t, nil), "one", func(c *wakeup.Config) { c.Age = time.Millisecond })
	for range 3 {
		e.awaitWake(t, "at a connection after an old one")
	}
	if n := e.connected.Load(); n < 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

func TestAFailedConnectionIsTriedAgain(t *testing.T) {
	var failed atomic.Int32
	e := run(t, pgtest.Database(t, nil), "one", func(c *wakeup.Config) {
		connect := c.Connect
		c.Connect = func(ctx context.Context) (*pgx.Conn, error) {
			if failed.Add(1) <= 2 {
				return nil, errors.New("not now")
			}
			return connect(ctx)
		}
	})
	e.awaitWake(t, "at the third attempt")
}

// Each statement that tells takes a lock of the whole server.
func TestABurstIsToldAndHeardAFewTimesOnly(t *testing.T) {
	url := pgtest.Database(t, nil)
	one, two := run(t, url, "one"), run(t, url, "two")
	two.awaitWake(t, "at its connection")
	listener, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close(context.WithoutCancel(t.Context()))
	if _, err := listener.Exec(t.Context(), `LISTEN curfew_revocation; LISTEN enough`); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for time.Since(begun) < 300*time.Millisecond {
		one.Tell()
	}
	if _, err := one.pool.Exec(t.Context(), `NOTIFY enough`); err != nil {
		t.Fatal(err)
	}
	told := 0
	for {
		n, err := listener.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.Channel == "enough" {
			break
		}
		told++
	}
	if most := int(time.Since(begun)/(5*time.Millisecond)) + 2; told == 0 || told > most {
		t.Errorf("told %d times in %v, want 1 to %d", told, time.Since(begun), most)
	}
	two.awaitWake(t, "by the burst")
}

// However many others tell, who listens is woken no more often.
func TestManyTellersWakeAReplicaNoMoreOftenThanOne(t *testing.T) {
	url := pgtest.Database(t, nil)
	e := run(t, url, "one")
	e.awaitWake(t, "at its connection")
	begun, wakes := time.Now(), 0
	_, err := e.pool.Exec(t.Context(), `SELECT pg_notify('curfew_revocation', 'other ' || n) FROM generate_series(1, 5000) n`)
	if err != nil {
		t.Fatal(err)
	}
	e.awaitWake(t, "by the others")
	wakes++
	for last := time.After(300 * time.Millisecond); ; {
		select {
		case <-e.Wake():
			wakes++
			continue
		case <-last:
		}
		break
	}
	if most := int(time.Since(begun)/(5*time.Millisecond)) + 2; wakes > most {
		t.Errorf("%d wakes in %v, want %d at most", wakes, time.Since(begun), most)
	}
}

func TestAStopEndsALineThatConnectsOrListensOrCannotTell(t *testing.T) {
	url := pgtest.Database(t, nil)
	entered := make(chan struct{})
	hanging := run(t, url, "hanging", func(c *wakeup.Config) {
		c.Connect = func(ctx context.Context) (*pgx.Conn, error) {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	<-entered
	hanging.stop()
	listening := run(t, url, "listening")
	listening.awaitWake(t, "at its connection")
	listening.stop()
	mute := run(t, url, "mute")
	mute.pool.Close()
	mute.Tell()
	mute.awaitWake(t, "at its connection")
	mute.stop()
}
