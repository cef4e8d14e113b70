package auth

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	revocations "github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	revocationfeed "github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

// hourly is an engine that reads the feed of its own accord once in an hour.
func hourly() revocationfeed.Config {
	return revocationfeed.Config{Poll: time.Hour, RowLease: 3 * time.Hour}
}

// feedWorld is the database of several replicas' feeds.
type feedWorld struct {
	url  string
	pool *pgxpool.Pool
}

func newFeedWorld(t testing.TB) *feedWorld {
	t.Helper()
	w := &feedWorld{url: pgtest.Database(t, func(ctx context.Context, url string) error {
		return database.Migrate(ctx, url, "", postgres.Migrations(), slog.New(slog.DiscardHandler))
	})}
	w.pool = w.open(t, "test")
	return w
}

func (w *feedWorld) open(t testing.TB, application string) *pgxpool.Pool {
	t.Helper()
	pool, err := database.Source{URL: w.url}.Open(t.Context(), application)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// start runs the feed of one replica until the test ends, whose listening
// connection has this name.
func (w *feedWorld) start(t testing.TB, application string, settings revocationfeed.Config, change ...func(*listening)) *revocation {
	t.Helper()
	l, err := newListening(database.Source{URL: w.url}, application)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&l)
	}
	pool := w.open(t, "feed")
	r, err := newRevocation(slog.New(slog.DiscardHandler), connections{pool, pool, l}, settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithGrace(30*time.Second), lifecycle.WithReportWriter(leak.Writer("feed", nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.addTo(group); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(context.Background()) }()
	t.Cleanup(func() {
		group.Shutdown(nil)
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	select {
	case <-r.watcher.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("the watcher holds no lease after 20 s")
	}
	return r
}

// revoke revokes a session at one replica, waits until it is in force at
// all, looks at another, and returns how long the wait was.
func (w *feedWorld) revoke(t testing.TB, replicas int, at, other *revocation, session string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	store := postgres.New(w.pool, "https://auth.curfew.dev", 10*time.Minute)
	var seq int64
	if err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) (err error) {
		seq, err = store.Append(ctx, tx, revocations.Rule{Kind: revocations.KindSession, Issuer: "https://auth.curfew.dev", ID: session})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	r, err := at.barrier().Await(ctx, seq)
	if err != nil {
		t.Fatalf("revoke %s: %v", session, err)
	}
	if r.Acked != replicas || r.Expired != 0 {
		t.Errorf("revoke %s: receipt %+v", session, r)
	}
	caller := &identity.Identity{Issuer: "https://auth.curfew.dev", Subject: "anna", SessionID: session, TokenID: session}
	if err := other.watcher.Check(caller).Admit(0); !errors.Is(err, revocations.ErrRevoked) {
		t.Errorf("revoked session %s at the other replica: %v", session, err)
	}
	return r.Waited
}

func scalar[T any](t testing.TB, w *feedWorld, sql string, args ...any) (v T) {
	t.Helper()
	if err := w.pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

const backends = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1`

func (w *feedWorld) awaitListener(t testing.TB, application string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); scalar[int](t, w, backends+` AND query LIKE 'LISTEN%' AND state = 'idle'`, application) != 1; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen after 20 s", application)
		}
	}
}

func TestARevokeAtOneReplicaWakesTheOthers(t *testing.T) {
	w := newFeedWorld(t)
	one, two := w.start(t, "one", hourly()), w.start(t, "two", hourly())
	w.revoke(t, 2, one, two, "a")
	w.revoke(t, 2, two, one, "b")
	w.awaitListener(t, "one")
	w.awaitListener(t, "two")
	w.revoke(t, 2, one, two, "c")
}

func TestAReplicaWhoseListeningConnectionWasLostListensAgain(t *testing.T) {
	w := newFeedWorld(t)
	one, two := w.start(t, "one", hourly()), w.start(t, "two", hourly())
	for _, session := range []string{"a", "b"} {
		w.awaitListener(t, "two")
		if !scalar[bool](t, w, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'two'`) {
			t.Fatal("not terminated")
		}
		w.revoke(t, 2, one, two, session)
	}
}

func TestAReplicaThatCannotListenPolls(t *testing.T) {
	w := newFeedWorld(t)
	var allowed atomic.Bool
	refused := make(chan struct{}, 1)
	deaf := func(l *listening) {
		connect := l.connect
		l.connect = func(ctx context.Context) (*pgx.Conn, error) {
			if allowed.Load() {
				return connect(ctx)
			}
			select {
			case refused <- struct{}{}:
			default:
			}
			return nil, errors.New("not now")
		}
	}
	one, two := w.start(t, "one", revocationfeed.Config{}, deaf), w.start(t, "two", revocationfeed.Config{}, deaf)
	w.revoke(t, 2, one, two, "a")
	<-refused
	allowed.Store(true)
	w.awaitListener(t, "one")
	w.awaitListener(t, "two")
	w.revoke(t, 2, two, one, "b")
}

// Else two replicas that do nothing wake each other all the time.
func TestWhoIsWokenTellsNobodyUnlessItsWatermarkMoves(t *testing.T) {
	const revokes = 30
	w := newFeedWorld(t)
	conn, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	if _, err := conn.Exec(t.Context(), `LISTEN curfew_revocation; LISTEN enough`); err != nil {
		t.Fatal(err)
	}
	one, two := w.start(t, "one", hourly()), w.start(t, "two", hourly())
	for i := range revokes {
		w.revoke(t, 2, one, two, string(rune('A'+i)))
	}
	if _, err := w.pool.Exec(t.Context(), `NOTIFY enough`); err != nil {
		t.Fatal(err)
	}
	told := 0
	for {
		n, err := conn.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.Channel == "enough" {
			break
		}
		told++
	}
	// The commit, and the watermark of each, and the generation of each.
	if most := 3*revokes + 2; told > most || told == 0 {
		t.Errorf("%d revocations made the two tell each other %d times, at most %d", revokes, told, most)
	}
}

func TestTheListeningConnectionIsWhereTheFileSaysNow(t *testing.T) {
	w := newFeedWorld(t)
	file := filepath.Join(t.TempDir(), "url")
	write := func(url string) {
		if err := os.WriteFile(file, []byte(url), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("postgres://nobody@127.0.0.1:1/none")
	l, err := newListening(database.Source{File: file}, "moved")
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := l.connect(t.Context()); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("connected to nobody")
	}
	write(w.url)
	conn, err := l.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkRevokeAtOneOfThreeReplicas(b *testing.B) {
	for name, change := range map[string]func(*listening){
		"woken": func(*listening) {},
		"polling": func(l *listening) {
			l.connect = func(context.Context) (*pgx.Conn, error) { return nil, errors.New("deaf") }
		},
	} {
		b.Run(name, func(b *testing.B) {
			w := newFeedWorld(b)
			one := w.start(b, "one", revocationfeed.Config{}, change)
			two, _ := w.start(b, "two", revocationfeed.Config{}, change), w.start(b, "three", revocationfeed.Config{}, change)
			var waits []time.Duration
			for b.Loop() {
				waits = append(waits, w.revoke(b, 3, one, two, strconv.Itoa(len(waits))))
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(waits[len(waits)*9/10].Microseconds())/1000, "p90-ms")
		})
	}
}
