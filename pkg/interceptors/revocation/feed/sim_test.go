package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

// world is a whole installation in one bubble: a store, engines over links
// that fail, watchers that move between them, each with its own clock.
type world struct {
	t        *testing.T
	random   *rand.Rand
	store    *feedtest.Memory
	engines  []*simEngine
	watchers []*simWatcher
	wg       sync.WaitGroup

	mu       sync.Mutex
	returned int64 // highest position whose revoking call has returned
	revoked  map[int64]string
	admitted int
	checks   int
	waited   time.Duration // longest
	history  []string
}

type simEngine struct {
	*feed.Engine
	name   string
	clock  *leaseclocktest.Clock
	link   *link // to the store
	net    *link // to the watchers
	cancel context.CancelFunc
}

type simWatcher struct {
	*watcher.Watcher
	name   string
	clock  *leaseclocktest.Clock
	link   *link // to the engines
	paused bool
	cancel context.CancelFunc
}

const issuer = "https://auth.curfew.dev"

const simDrift = 0.02

var quiet = slog.New(slog.DiscardHandler)

// drift is that of a random clock, often at the bound.
func (w *world) drift() float64 {
	// Two clocks may differ by what is stated, so each by half of it.
	return []float64{-simDrift / 2, 0, simDrift / 2}[w.random.IntN(3)]
}

func (w *world) addEngine(ctx context.Context) {
	n := len(w.engines)
	e := &simEngine{name: fmt.Sprint(n), clock: leaseclocktest.New(w.drift()), link: newLink(w.random), net: newLink(w.random)}
	ctx, e.cancel = context.WithCancel(ctx)
	engine, err := feed.New(feed.Config{
		Store: &slowStore{w.store, e.link}, Replica: fmt.Sprintf("auth-%d", n), Drift: simDrift,
		Clock: e.clock, Logger: quiet, Wake: w.wake(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	e.Engine = engine
	w.mu.Lock()
	w.engines = append(w.engines, e)
	w.mu.Unlock()
	w.wg.Go(func() {
		if err := engine.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
}

// wake is a channel of notifications for some engines, and nil for others.
func (w *world) wake() <-chan struct{} {
	if w.random.IntN(2) == 0 {
		return nil
	}
	return w.store.Wake()
}

func (w *world) addWatcher(ctx context.Context) {
	s := &simWatcher{name: fmt.Sprint(len(w.watchers)), clock: leaseclocktest.New(w.drift()), link: newLink(w.random)}
	ctx, s.cancel = context.WithCancel(ctx)
	first := w.random.IntN(len(w.engines))
	attempt := 0
	wa, err := watcher.New(watcher.Config{
		Replica: fmt.Sprintf("orders-%d", len(w.watchers)%3), Drift: simDrift, Clock: s.clock, Logger: quiet,
		Dial: func(ctx context.Context) (message.ClientStream, error) {
			if s.link.broken() {
				return nil, errors.New("no route")
			}
			w.mu.Lock()
			e := w.engines[(first+attempt)%len(w.engines)]
			attempt++
			w.mu.Unlock()
			client, err := e.Dial("services/orders")(ctx)
			if err != nil {
				return nil, err
			}
			return newSlowStream(ctx, client, s.link, e.net), nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	s.Watcher = wa
	w.mu.Lock()
	w.watchers = append(w.watchers, s)
	w.mu.Unlock()
	w.wg.Go(func() {
		if err := wa.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
}

// pause stops a process: nothing comes in or goes out, and no call is checked.
func (w *world) pause(s *simWatcher) {
	s.link.hold()
	w.mu.Lock()
	s.paused = true
	w.mu.Unlock()
}

// resume lets a call in before anything that was under way.
func (w *world) resume(s *simWatcher) {
	w.mu.Lock()
	s.paused = false
	w.mu.Unlock()
	w.check(s)
	s.link.heal()
}

// check is a call that arrives at a replica now with the token of a user whose
// epoch is below every revocation that has returned.
func (w *world) check(s *simWatcher) {
	w.mu.Lock()
	at := w.returned
	user, ok := w.revoked[at]
	paused := s.paused
	w.mu.Unlock()
	if paused {
		return
	}
	v := s.Check(&identity.Identity{Issuer: issuer, Subject: user, SessionID: "s", Epoch: 1})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks++
	if err := v.Admit(0); err == nil {
		if ok {
			w.t.Errorf("%s: watcher %s admitted after revocation %d returned; %+v", time.Now().Format("05.000"), s.name, at, s.Status())
		}
		w.admitted++
	}
}

// revoke is a revoking call at an engine.
func (w *world) revoke(ctx context.Context, e *simEngine, n int) {
	user := fmt.Sprintf("user-%d", n)
	seq := w.store.Revoke(revocation.Rule{
		Kind: revocation.KindSubjectEpoch, Issuer: issuer, ID: user, Epoch: 2, KeepUntil: time.Now().Add(time.Hour),
	})
	start := time.Now()
	r, err := e.Await(ctx, seq)
	if err != nil {
		return // its process was killed
	}
	waited := time.Since(start)
	w.mu.Lock()
	w.revoked[seq] = user
	w.returned = max(w.returned, seq)
	w.waited = max(w.waited, waited)
	w.mu.Unlock()
	w.logf("%s: revocation %d returned at engine %s: %+v", time.Now().Format("05.000"), seq, e.name, r)
	if r.Seq != seq {
		w.t.Errorf("receipt of %d is for %d", seq, r.Seq)
	}
	w.mu.Lock()
	all := slices.Clone(w.watchers)
	w.mu.Unlock()
	for _, s := range all {
		w.check(s)
	}
}

// bound is the longest that a revoking call may wait by a clock that is slow.
const bound = time.Duration(float64(feed.DefaultRowLease)*(1+simDrift)*(1+simDrift)) + 10*time.Millisecond

// size returns how much a random test does: CURFEW_TEST_SIZE is ci or soak.
func size(ci, soak int) int {
	if os.Getenv("CURFEW_TEST_SIZE") == "soak" {
		return soak
	}
	return ci
}

// TestNoAdmissionStartsAfterARevokeReturned runs random schedules: engines that are cut
// off from the store, killed and replaced; watchers that are paused,
// partitioned, slow, killed; clocks that drift and are set; revoking calls all
// along. A call that arrives after a revoking call has returned is never
// admitted, and no revoking call waits longer than one row lease.
func TestNoAdmissionStartsAfterARevokeReturned(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("CURFEW_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	schedules := size(300, 20_000)
	t.Logf("seed %d, %d schedules", seed, schedules)
	var checks, admitted, returned int
	for n := range schedules {
		synctest.Test(t, func(t *testing.T) {
			w := simulate(t, rand.New(rand.NewPCG(seed, uint64(n))))
			checks += w.checks
			admitted += w.admitted
			returned += len(w.revoked)
			if t.Failed() {
				t.Log(strings.Join(w.history, "\n"))
			}
			if w.waited > bound {
				t.Errorf("a revoking call waited %s, more than %s", w.waited, bound)
			}
		})
		if t.Failed() {
			t.Fatalf("schedule %d of seed %d", n, seed)
		}
	}
	t.Logf("%d revocations returned, %d checks, %d of them admitted before one returned", returned, checks, admitted)
	if returned == 0 || checks == 0 {
		t.Error("the schedules did nothing")
	}
}

func simulate(t *testing.T, random *rand.Rand) *world {
	w := &world{t: t, random: random, store: feedtest.NewMemory(), revoked: make(map[int64]string)}
	ctx, cancel := context.WithCancel(t.Context())
	for range 1 + random.IntN(3) {
		w.addEngine(ctx)
	}
	for range 1 + random.IntN(4) {
		w.addWatcher(ctx)
	}
	time.Sleep(time.Second)
	var calls sync.WaitGroup
	for n := range 30 {
		w.fault(ctx)
		if random.IntN(2) == 0 {
			e := w.engines[random.IntN(len(w.engines))]
			calls.Go(func() { w.revoke(ctx, e, n) })
		}
		for range 5 {
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
			for _, s := range w.watchers {
				calls.Go(func() { w.check(s) })
			}
		}
	}
	for _, s := range w.watchers {
		w.resume(s)
	}
	for _, e := range w.engines {
		e.net.heal()
		e.link.heal()
	}
	calls.Wait()
	for _, s := range w.watchers {
		w.check(s)
	}
	cancel()
	w.wg.Wait()
	time.Sleep(time.Minute) // what is still at a barrier ends by the clock
	return w
}

// logf notes what happened, for the report of a failure.
func (w *world) logf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, fmt.Sprintf(format, args...))
}

// fault does one thing to one party.
func (w *world) fault(ctx context.Context) {
	e := w.engines[w.random.IntN(len(w.engines))]
	s := w.watchers[w.random.IntN(len(w.watchers))]
	kind := w.random.IntN(20)
	w.logf("%s: fault %d at engine %s or watcher %s", time.Now().Format("05.000"), kind, e.name, s.name)
	switch kind {
	case 0, 1:
		w.pause(s)
	case 2, 3:
		w.resume(s)
	case 4:
		s.link.hold()
	case 5:
		s.link.cut()
	case 6:
		s.link.heal()
	case 7:
		e.link.hold()
	case 8:
		e.link.cut()
	case 9, 10:
		e.link.heal()
	case 11: // a paused engine
		e.net.hold()
		e.link.hold()
	case 12, 13:
		e.net.heal()
		e.link.heal()
	case 14:
		w.store.SetClock(time.Duration(w.random.IntN(10)-5) * time.Second)
	case 15, 16:
		s.link.slower(time.Duration(1+w.random.IntN(3)) * time.Second)
	case 17, 18:
		e.link.slower(time.Duration(1+w.random.IntN(3)) * time.Second)
	case 19:
		switch w.random.IntN(4) {
		case 0:
			e.cancel() // its row stays
		case 1:
			s.cancel()
		case 2:
			if len(w.engines) < 4 {
				w.addEngine(ctx)
			}
		case 3:
			w.addWatcher(ctx)
		}
	}
}
