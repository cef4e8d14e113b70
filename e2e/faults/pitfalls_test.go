package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/faults"
	"github.com/curfew-platform/curfew/e2e/stand"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// The budgets of a revoking call: a lease and the margin of the drift. Beyond
// them it may take what a machine with much else to do adds, and the time in
// which that let nobody run.
const (
	ttl      = 2800 * time.Millisecond
	rowLease = 6 * time.Second
	busy     = 1500 * time.Millisecond

	ttlBudget = ttl * 101 / 100
	rowBudget = rowLease * 101 / 100
)

// stopwatch measures against a budget.
type stopwatch struct {
	installation *faults.Installation
	start        time.Time
	starved      time.Duration
}

func (s *scene) stopwatch() stopwatch {
	return stopwatch{s.installation, time.Now(), s.installation.Starved()}
}

// slack is what is not held against anybody since the start.
func (w stopwatch) slack() time.Duration { return busy + w.installation.Starved() - w.starved }

// scene is one replica of an installation that is whole, and a token that it
// has admitted.
type scene struct {
	t            *testing.T
	installation *faults.Installation
	clients      *faults.Clients
	token        *faults.Life
	n            int // the replica
	replica      *faults.Server
	home         int // the server at which it holds its lease
}

func newScene(t *testing.T, n int) *scene {
	t.Helper()
	installation := installations.take(t)
	ctx, cancel := context.WithTimeout(t.Context(), calm)
	defer cancel()
	clients, err := faults.NewClients(ctx, installation)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, installation: installation, clients: clients, n: n, replica: installation.Replicas[n]}
	if s.token, err = clients.Token(ctx); err != nil {
		t.Fatal(err)
	}
	if s.home, err = clients.Home(ctx, n); err != nil {
		t.Fatal(err)
	}
	if err := s.token.Look(ctx, s.replica); err != nil {
		t.Fatalf("before anything is wrong: %v", err)
	}
	return s
}

// elsewhere is a server of the feed at which the replica holds no lease.
func (s *scene) elsewhere() *faults.Server {
	return s.installation.Auths[(s.home+1)%len(s.installation.Auths)]
}

// revoke revokes the token, within a budget by the receipt and by the clock.
func (s *scene) revoke(at *faults.Server, budget time.Duration) *revocationv1.Receipt {
	s.t.Helper()
	watch := s.stopwatch()
	receipt, err := s.token.Revoke(s.t.Context(), at, faults.EndSession)
	took := time.Since(watch.start)
	if err != nil {
		s.t.Fatal(err)
	}
	if slack := watch.slack(); took > budget+slack { // what it waited is a part of that
		s.t.Errorf("the revoke waited %v and took %v, budget %v + %v", receipt.GetWaited().AsDuration(), took, budget, slack)
	}
	return receipt
}

// settles waits until no replica has left a lease behind at a server of the
// feed: what was broken before may have made it move.
func (s *scene) settles() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), calm)
	defer cancel()
	for {
		token, err := s.clients.Token(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		receipt, err := token.Revoke(ctx, s.installation.Auths[s.home], faults.EndSession)
		if err == nil && receipt.GetExpired() == 0 {
			return
		}
	}
}

// refuses looks at the replica now; a call that is admitted is in the history,
// which the judge reads.
func (s *scene) refuses() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), calm)
	defer cancel()
	err := s.token.Look(ctx, s.replica)
	if code := status.Code(err); err != nil && code != codes.Unavailable && code != codes.Unauthenticated {
		s.t.Errorf("after the revoke: %v", err)
	}
}

// whole ends a scene: everything is healed, every replica recovers and knows
// the rule, and the judge reads the history.
func (s *scene) whole() {
	s.t.Helper()
	s.installation.Heal()
	s.token.LookAtAll(s.t.Context(), calm)
	recovers(s.t, s.installation, s.clients)
	ctx, cancel := context.WithTimeout(s.t.Context(), calm)
	defer cancel()
	for _, r := range s.installation.Replicas {
		if err := until(ctx, func() error { return s.token.Look(ctx, r) }, knows); err != nil {
			s.t.Errorf("%s when all is whole: %v", r.Name, err)
		}
	}
	if err := s.token.Judge(); err != nil {
		s.t.Error(err)
	}
}

// knows tells whether a call was judged by a replica with a lease.
func knows(err error) bool { return err == nil || stand.Reason(err) == "TOKEN_REVOKED" }

func TestARevokeIsInForceAtEveryReplicaWhenItReturns(t *testing.T) {
	t.Parallel()
	s := newScene(t, 0)
	s.revoke(s.installation.Auths[s.home], ttlBudget)
	s.whole()
}

// TestAReplicaThatStoodStill is SIGSTOP, revoke, SIGCONT. It hears nothing of
// the revocation meanwhile: its own clock tells.
func TestAReplicaThatStoodStillRefusesWhenItGoesOn(t *testing.T) {
	t.Parallel()
	s := newScene(t, 0)
	s.installation.Sever(s.n)
	if err := s.replica.Pause(); err != nil {
		t.Fatal(err)
	}
	receipt := s.revoke(s.elsewhere(), ttlBudget)
	if receipt.GetExpired() < 1 {
		t.Errorf("receipt is %v, want a lease that ran out", receipt)
	}
	if err := s.replica.Continue(); err != nil {
		t.Fatal(err)
	}
	s.refuses()
	s.whole()
}

func TestAReplicaInAPartitionRefusesWhenTheRevokeReturns(t *testing.T) {
	t.Parallel()
	for direction, cut := range map[string]func(*faults.Proxy){
		"both ways":                       (*faults.Proxy).Cut,
		"what it says is lost":            (*faults.Proxy).CutThere,
		"what is said to it is lost":      (*faults.Proxy).CutBack,
		"its stream breaks at the server": func(p *faults.Proxy) { p.Cut(); p.Break() },
	} {
		t.Run(direction, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, 1)
			for _, link := range s.installation.Links[s.n] {
				cut(link)
			}
			s.revoke(s.elsewhere(), ttlBudget)
			s.refuses()
			s.whole()
		})
	}
}

// TestADeadReplica: the first revoke waits for its lease, the next for nobody.
func TestADeadReplicaMakesOneRevokeWaitAndNotEveryLaterOne(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	another, err := s.clients.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.replica.Kill()
	s.revoke(s.installation.Auths[s.home], ttlBudget)
	watch := s.stopwatch()
	receipt, err := another.Revoke(t.Context(), s.installation.Auths[s.home], faults.EndSession)
	if err != nil {
		t.Fatal(err)
	}
	if waited := receipt.GetWaited().AsDuration(); waited > watch.slack() {
		t.Errorf("a later revoke waited %v", waited)
	}
	if err := s.replica.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.whole()
}

// TestAReplicaThatStops is a rolling deploy of a service: it says that it goes.
func TestAReplicaThatStopsMakesNoRevokeWait(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.settles()
	if err := s.replica.Stop(); err != nil {
		t.Fatal(err)
	}
	if receipt := s.revoke(s.installation.Auths[s.home], 0); receipt.GetExpired() != 0 {
		t.Errorf("receipt is %v, want no lease that ran out", receipt)
	}
	if err := s.replica.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.whole()
}

// TestAServerCutOff is the zombie: it still has watchers and cannot know what
// is revoked elsewhere.
func TestAServerOfTheFeedThatIsCutOffFromTheDatabaseEndsItsLeases(t *testing.T) {
	t.Parallel()
	s := newScene(t, 3)
	s.installation.Isolate(s.n, s.home)
	s.installation.Stores[s.home].Cut()
	s.revoke(s.elsewhere(), rowBudget)
	s.refuses()
	s.whole()
}

// TestAKilledServer: nobody asks its watchers any more, and one of them holds a
// lease of it.
func TestTheWatchersOfAKilledServerOfTheFeedAreWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t, 4)
	home := s.installation.Auths[s.home]
	s.installation.Sever(s.n)
	home.Kill()
	s.revoke(s.elsewhere(), rowBudget)
	s.refuses()
	if err := home.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.whole()
}

// TestTheServerItself: the process that revokes is the new one, and must wait
// for what the one before it granted.
func TestAServerOfTheFeedThatWasRestartedWaitsForTheLeasesOfTheOneBefore(t *testing.T) {
	t.Parallel()
	s := newScene(t, 5)
	home := s.installation.Auths[s.home]
	s.installation.Sever(s.n)
	home.Kill()
	if err := home.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := home.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.revoke(home, rowBudget)
	s.refuses()
	s.whole()
}

// TestAReplicaThatStartsWhileARevokeRuns is the join.
func TestAReplicaThatStartsWhileARevokeRunsKnowsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, 0)
	// The revoke has to wait for a lease that runs out; meanwhile one comes.
	s.installation.Sever(1)
	s.replica.Kill()
	revoked := make(chan error, 1)
	go func() {
		watch := s.stopwatch()
		_, err := s.token.Revoke(t.Context(), s.elsewhere(), faults.EndSession)
		if took, slack := time.Since(watch.start), watch.slack(); err == nil && took > ttlBudget+slack {
			err = fmt.Errorf("the revoke took %v, budget %v + %v", took, ttlBudget, slack)
		}
		revoked <- err
	}()
	if err := s.replica.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_ = s.token.Look(ctx, s.replica) // in the history
		cancel()
		select {
		case err := <-revoked:
			if err != nil {
				t.Fatal(err)
			}
			s.refuses()
			s.whole()
			return
		default: // the call has a deadline of its own
		}
	}
}
