package postgres_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server speaks as much of the PostgreSQL protocol as a pool needs, over pipes that synctest can see through. When frozen,
// what is written to it arrives nowhere, as under SIGSTOP.
type server struct{ frozen atomic.Bool }

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	client, srv := net.Pipe()
	go serve(srv)
	return &conn{Conn: client, frozen: &s.frozen}, nil
}

type conn struct {
	net.Conn

	frozen *atomic.Bool
}

func (c *conn) Write(p []byte) (int, error) {
	if c.frozen.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func serve(c net.Conn) {
	defer c.Close()
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	for {
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if b.Flush() != nil {
			return
		}
		switch _, err := b.Receive(); {
		case err != nil:
			return
		default:
			b.Send(&pgproto3.EmptyQueryResponse{})
		}
	}
}

func newPool(t *testing.T, s *server) *pgxpool.Pool {
	t.Helper()
	conf, err := pgxpool.ParseConfig("postgres://user@server/db?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	conf.ConnConfig.DialFunc = s.dial
	conf.ConnConfig.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"server"}, nil }
	pool, err := pgxpool.NewWithConfig(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func newGroup(t *testing.T, pool *pgxpool.Pool) *lifecycle.Group {
	t.Helper()
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard), lifecycle.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.Add(g, "pool", pool); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestThePoolIsOpenUntilItsLastUserHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := newPool(t, &server{})
		g := newGroup(t, pool)
		for _, ph := range []lifecycle.Phase{lifecycle.Drain, lifecycle.Commit, lifecycle.Leave} {
			if err := g.Add(lifecycle.Part{Name: ph.String(), Phase: ph, Stop: pool.Ping}); err != nil {
				t.Fatal(err)
			}
		}
		g.Shutdown(nil)
		if err := g.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if err := pool.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "closed pool") {
			t.Errorf("the pool is open: %v", err)
		}
	})
}

func TestAConnectionThatIsNeverGivenBackDoesNotHoldUpTheEndOfTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := newPool(t, &server{})
		g := newGroup(t, pool)
		kept, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g.Shutdown(nil)
		begin := time.Now()
		if code := lifecycle.ExitCode(g.Run(t.Context())); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d", code)
		}
		if took, limit := time.Since(begin), g.Plan().Budget(lifecycle.Close).Max+time.Second; took > limit {
			t.Errorf("took %v", took)
		}
		p := g.Report().Phases[lifecycle.Close-1].Parts[0]
		if p.Outcome != lifecycle.Abandoned || p.RemainingBefore == nil || *p.RemainingBefore != 1 || !strings.Contains(p.Stack, "Pool).Close") {
			t.Errorf("%+v", p)
		}
		kept.Release()
		synctest.Wait()
	})
}

func TestAFrozenServerDoesNotHoldUpTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s)
		g := newGroup(t, pool)
		if err := pool.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.frozen.Store(true)
		g.Shutdown(nil)
		begin := time.Now()
		if err := g.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestMissingArgumentsAreRefused(t *testing.T) {
	if err := postgres.Add(nil, "pool", nil); err == nil {
		t.Error("accepted")
	}
}
