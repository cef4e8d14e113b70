package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/telemetry"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server/guard"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres/wakeup"
	"github.com/curfew-platform/curfew/services/auth/internal/rpc"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// principal of this service's own watcher.
const principal = "services/auth"

// revocation is the feed: its engine, and the watcher by which this process
// itself refuses what was revoked.
type revocation struct {
	engine  *feed.Engine
	watcher *watcher.Watcher
	line    *wakeup.Line
	streams *rpc.RevocationServer
	reader  signingkey.Reader
	log     *slog.Logger
}

// connections are those to the database: of the feed, of calls, and how the one is opened by which others wake the feed.
type connections struct {
	feed, calls *pgxpool.Pool
	listening   listening
}

// newRevocation takes what the engine has in place of its defaults. Without a provider nothing is measured.
func newRevocation(log *slog.Logger, db connections, settings feed.Config, provider metric.MeterProvider) (*revocation, error) {
	name, err := os.Hostname()
	if err != nil {
		name = "auth"
	}
	incarnation := rand.Text() // of both: a stop asks the others to move, not itself
	line := wakeup.New(wakeup.Config{Pool: db.feed, Connect: db.listening.connect, Age: db.listening.age, Self: incarnation, Log: log})
	settings.Store, settings.Wake = telling{postgres.NewFeed(db.feed), line.Tell}, line.Wake()
	settings.Replica, settings.Incarnation, settings.Logger = name, incarnation, log
	if provider != nil {
		if settings.Awaited, err = telemetry.Receipts(provider); err != nil {
			return nil, err
		}
	}
	engine, err := feed.New(settings)
	if err != nil {
		return nil, err
	}
	if provider != nil {
		if _, err := telemetry.ObserveEngine(provider, engine); err != nil {
			return nil, err
		}
	}
	own, err := watcher.New(watcher.Config{
		Dial: engine.Dial(principal), Replica: name, Incarnation: incarnation, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	streams := rpc.NewRevocationServer(engine, postgres.NewFeed(db.calls), barrier{engine, func() {}}, head{engine, postgres.NewFeed(db.calls)})
	reader := signingkey.Reader{Replica: name, Incarnation: incarnation}
	return &revocation{engine: engine, watcher: own, line: line, streams: streams, reader: reader, log: log}, nil
}

// moveLimit bounds the wait for watchers that move: within the longest that a
// stop is announced.
const moveLimit = 800 * time.Millisecond

// addTo lets the group run the feed. Watchers are asked to move when the stop
// is announced, and hold a lease elsewhere before this process takes no more
// calls; those that could not, because there is nowhere else, lose their
// streams while calls are drained, and keep what is left of their leases. The
// engine goes on until its last lease is over: revoking calls are being drained.
func (r *revocation) addTo(g *lifecycle.Group) error {
	engine, follow := g.Task("revocation engine", r.engine.Run), g.Task("revocation watcher", r.watcher.Run)
	line := g.Task("revocation wake-ups", r.line.Run)
	cancel := func() {
		engine.Cancel()
		follow.Cancel()
		line.Cancel()
	}
	return errors.Join(
		g.Add(lifecycle.Part{
			Name: "revocation move", Phase: lifecycle.Announce,
			Stop: func(stop context.Context) error {
				r.engine.Move()
				stop, cancel := context.WithTimeout(stop, moveLimit)
				defer cancel()
				if left := r.engine.Moved(stop); left > 0 {
					r.log.WarnContext(stop, "watchers of revocations have not moved", slog.Int("watchers", left))
				}
				return nil
			},
		}),
		g.Add(lifecycle.Part{
			Name: "revocation feed", Phase: lifecycle.Leave,
			Start: func(ctx context.Context) error {
				return errors.Join(line.Start(ctx), engine.Start(ctx), follow.Start(ctx))
			},
			Stop: func(stop context.Context) error {
				err := errors.Join(r.watcher.Leave(stop), r.engine.Stop(stop))
				cancel()
				return errors.Join(err, engine.Stop(stop), follow.Stop(stop), line.Stop(stop))
			},
			Kill:   cancel,
			Health: guard.Health(r.watcher),
		}),
	)
}

func (r *revocation) service() revocationv1.RevocationServiceServer { return r.streams }

func (r *revocation) barrier() account.Barrier { return barrier{r.engine, r.line.Tell} }

// barrier is the engine as the use cases see it.
type barrier struct {
	engine *feed.Engine
	tell   func() // wakes the engines of the others
}

// Await implements account.Barrier.
func (b barrier) Await(ctx context.Context, seq int64) (account.Receipt, error) {
	b.tell() // there is a commit that they have not read
	r, err := b.engine.Await(ctx, seq)
	if pending, ok := errors.AsType[*feed.PendingError](err); ok {
		return account.Receipt{}, &account.PendingError{Seq: pending.Seq, InForceBy: pending.InForceBy, Cause: pending.Cause}
	}
	if err != nil {
		return account.Receipt{}, err
	}
	return account.Receipt{Seq: r.Seq, Acked: int(r.Acked), Expired: int(r.Expired), Waited: r.Waited}, nil
}

// reportEvery is how old the view of other replicas is in ListRevocationReplicas.
const reportEvery = 2 * time.Second

// head is the end of the feed as the engine knows it, or else as it is.
type head struct {
	engine *feed.Engine
	feed   *postgres.Feed
}

// Reached implements rpc.Head.
func (h head) Reached(ctx context.Context, seq int64) (bool, error) {
	if seq <= h.engine.Head() {
		return true, nil
	}
	newest, err := h.feed.Head(ctx)
	return seq <= newest, err
}
