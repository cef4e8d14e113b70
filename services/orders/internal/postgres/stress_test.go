package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/events"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// stress is one run: clients, staff, workers, sweeper, relays, a bad network
// to the provider, and somebody who kills connections.
type stress struct {
	t     *testing.T
	shop  *ordertest.Shop
	rng   *lockedRand
	users []uuid.UUID
	count *counters
	log   topicLog
}

// expected says whether an error is a refusal or an unknown outcome, which a
// run may bring, and names it.
func expected(err error) (string, bool) {
	var (
		stock     *order.OutOfStock
		points    *order.InsufficientPoints
		exceed    *order.PointsExceedAmount
		illegal   *order.IllegalTransition
		declined  *order.PaymentDeclined
		late      *order.DeadlinePassed
		belowHeld *order.StockBelowReserved
	)
	switch {
	case err == nil:
		return "ok", true
	case errors.Is(err, order.ErrUnavailable):
		return "connection lost", true
	case errors.As(err, &stock):
		return "out of stock", true
	case errors.As(err, &points), errors.As(err, &exceed):
		return "not enough points, or too many", true
	case errors.As(err, &illegal):
		return "not in this state", true
	case errors.As(err, &declined):
		return "declined", true
	case errors.As(err, &late):
		return "too late", true
	case errors.As(err, &belowHeld):
		return "below reserved", true
	}
	return "", false
}

func (s *stress) note(what string, err error) {
	kind, ok := expected(err)
	if !ok {
		s.t.Errorf("%s: %v", what, err)
		kind = "UNEXPECTED"
	}
	s.count.add(what + ": " + kind)
}

// topicLog is what relays without any lease have published.
type topicLog struct {
	mu      sync.Mutex
	last    map[uuid.UUID]int64
	gaps    []string
	records int
}

func (l *topicLog) publish(e order.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[uuid.UUID]int64{}
	}
	l.records++
	switch last := l.last[e.Order]; {
	case e.Version == last+1:
		l.last[e.Order] = e.Version
	case e.Version > last:
		l.gaps = append(l.gaps, fmt.Sprintf("%v: %d after %d", e.Order, e.Version, last))
		l.last[e.Order] = e.Version
	}
}

// relay publishes a batch of everything and may die before it deletes it.
func (s *stress) relay(ctx context.Context, die bool) int {
	parts := make([]int16, 16)
	for i := range parts {
		parts[i] = int16(i)
	}
	var batch []events.Unpublished
	batch, err := s.shop.Store.Unpublished(ctx, parts, 5)
	s.note("relay", err)
	var seqs []int64
	for _, u := range batch {
		s.log.publish(u.Event)
		seqs = append(seqs, u.Seq)
	}
	if die && s.rng.N(5) == 0 {
		s.count.add("relay died")
		return len(batch)
	}
	s.note("relay", s.shop.Store.Published(ctx, seqs))
	return len(batch)
}

// loops are the background of a run; each does one round.
func (s *stress) loops() map[string]func(ctx context.Context) {
	work := func(ctx context.Context) { s.note("worker", second(s.shop.Worker.Step(ctx))) }
	publish := func(ctx context.Context) { s.relay(ctx, true) }
	return map[string]func(context.Context){
		"worker 1": work, "worker 2": work, "worker 3": work, "relay 1": publish, "relay 2": publish,
		"fold": func(ctx context.Context) { s.note("fold", second(s.shop.Store.FoldStats(ctx, 50))) },
		"killer": func(ctx context.Context) {
			var n int
			err := s.shop.DB.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM (
				SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'orders%' ORDER BY random() LIMIT 1) k`).Scan(&n)
			if err == nil && n > 0 {
				s.count.add("connections killed")
			}
		},
	}
}

// run lets everything happen at once for the time.
func (s *stress) run(clients int, d time.Duration) {
	ctx := context.Background()
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for time.Now().Before(end) && !s.t.Failed() {
				s.act(ctx)
			}
		})
	}
	for _, round := range s.loops() {
		wg.Go(func() {
			ticker := time.NewTicker(20 * time.Millisecond)
			defer ticker.Stop()
			for time.Now().Before(end) {
				round(ctx)
				<-ticker.C
			}
		})
	}
	wg.Wait()
}

// calm brings everything to rest: requests that are late arrive, what is open
// is finished, what is unpublished is published.
func (s *stress) calm(f *faulty) {
	f.late.Wait()
	f.calm.Store(true)
	for open := 1; open > 0; {
		s.shop.DueNow(s.t)
		s.settle()
		if err := s.shop.DB.QueryRow(context.Background(), `SELECT count(*) FROM payment_attempts WHERE state IN ('in_flight', 'indeterminate')`).Scan(&open); err != nil {
			s.t.Fatal(err)
		}
	}
	for s.relay(context.Background(), false) > 0 {
	}
}

// settle works on attempts until none is due. A connection that was killed at
// the last moment is found dead at its next use, which may be here.
func (s *stress) settle() {
	for dead := 0; ; {
		worked, err := s.shop.Worker.Step(context.Background())
		switch {
		case errors.Is(err, order.ErrUnavailable) && dead < 100:
			dead++
		case err != nil:
			s.t.Fatal(err)
		case !worked:
			return
		}
	}
}

func TestTheStressLeavesEveryInvariantWhole(t *testing.T) {
	seed, clients, d := uint64(time.Now().UnixNano()), 8, 5*time.Second
	if os.Getenv("CURFEW_TEST_SIZE") == "soak" {
		clients, d = 32, 5*time.Minute
	}
	if given, err := strconv.ParseUint(os.Getenv("CURFEW_TEST_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("seed %d, %d clients, %v", seed, clients, d)
	s := &stress{t: t, rng: newRand(seed), count: &counters{}}
	f := &faulty{rng: s.rng, count: s.count}
	s.shop = ordertest.NewShop(t, ordertest.WithDecision(decision(s.rng)),
		ordertest.WithProvider(func(p payment.Provider) payment.Provider { f.Provider = p; return f }),
		ordertest.WithConfig(func(c *postgres.Config) { c.PaymentWindow, c.Takeover = 400*time.Millisecond, 150*time.Millisecond }))
	s.shop.Products(t, stressProducts, 1000, 60)
	for range stressUsers {
		user := uuid.New()
		s.users = append(s.users, user)
		s.shop.Points(t, user, 1000)
	}
	s.run(clients, d)
	s.calm(f)
	for _, what := range slices.Sorted(maps.Keys(s.count.n)) {
		t.Logf("%6d %s", s.count.n[what], what)
	}
	t.Logf("%d records, %d orders", s.log.records, len(s.log.last))
	ordertest.Check(t, s.shop.DB)
	s.checkRest()
}

// checkRest fails the test for what the invariants do not see.
func (s *stress) checkRest() {
	s.t.Helper()
	for _, gap := range s.log.gaps {
		s.t.Errorf("first occurrences out of order: %s", gap)
	}
	var stuck, unpublished int
	var deadlocks int64
	if err := s.shop.DB.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM orders WHERE state IN (2, 8)), (SELECT count(*) FROM outbox_events),
		(SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())`).Scan(&stuck, &unpublished, &deadlocks); err != nil {
		s.t.Fatal(err)
	}
	if stuck != 0 || unpublished != 0 || deadlocks != 0 {
		s.t.Errorf("%d orders stuck, %d events unpublished, %d deadlocks", stuck, unpublished, deadlocks)
	}
	rows, err := s.shop.DB.Query(context.Background(), `SELECT order_id, version FROM orders`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var version int64
		if err := rows.Scan(&id, &version); err != nil {
			s.t.Fatal(err)
		}
		if s.log.last[id] != version {
			s.t.Errorf("order %v: version %d, published up to %d", id, version, s.log.last[id])
		}
	}
}
