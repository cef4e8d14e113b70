package kafka

import (
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/localenv/kafkatest"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const (
	rebalancePartitions = 8
	rebalanceLimit      = time.Minute
	// quarter of a session timeout of 10 s.
	quarter = 2500 * time.Millisecond
)

// replica is a member that notes when partitions come and go.
type replica struct {
	member *Member
	mu     sync.Mutex
	came   map[ledger.Key]time.Time
	went   map[ledger.Key]time.Time
	ended  chan struct{}
	cancel context.CancelFunc
}

// join begins a member that takes a while to let partitions go.
func join(t testing.TB, cfg MemberConfig, drain time.Duration) *replica {
	t.Helper()
	r := &replica{came: map[ledger.Key]time.Time{}, went: map[ledger.Key]time.Time{}, ended: make(chan struct{})}
	note := func(into, outOf map[ledger.Key]time.Time) func(context.Context, []ledger.Key) {
		return func(_ context.Context, keys []ledger.Key) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, k := range keys {
				into[k] = time.Now()
				delete(outOf, k)
			}
		}
	}
	went := note(r.went, r.came)
	cfg.Assigned, cfg.Log = note(r.came, r.went), slog.New(slog.DiscardHandler)
	cfg.Revoked = func(ctx context.Context, keys []ledger.Key) {
		went(ctx, keys)
		pause(drain)
	}
	var err error
	if r.member, err = Join(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		_ = r.member.Run(ctx)
	}()
	return r
}

func (r *replica) leave() {
	r.cancel()
	<-r.ended
	ctx, cancel := context.WithTimeout(context.Background(), rebalanceLimit)
	defer cancel()
	r.member.Close(ctx)
}

func (r *replica) await(t testing.TB, partitions int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(rebalanceLimit); ; <-tick.C {
		r.mu.Lock()
		n := len(r.came)
		r.mu.Unlock()
		if n == partitions {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it has %d partitions, want %d", n, partitions)
		}
	}
}

// pause is not for tests of the code, which wait for conditions: a load takes time.
func pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// rebalance lets a second member join a first one that has everything, at any
// moment between its heartbeats. It returns when that has its half, from its
// start, and for how long the partitions of that half had no owner.
func rebalance(t testing.TB, brokers []string, drain time.Duration, more ...kgo.Opt) (settled, unowned time.Duration) {
	t.Helper()
	cfg := MemberConfig{
		Brokers: brokers, Security: more, Group: "g-" + rand.Text(), Topics: []string{kafkatest.Topic(t, brokers, rebalancePartitions)},
		SessionTimeout: 10 * time.Second, InstanceID: "pod-0",
	}
	first := join(t, cfg, drain)
	defer first.leave()
	first.await(t, rebalancePartitions)
	pause(time.Second + mathrand.N(quarter))
	cfg.InstanceID = "pod-1"
	begun := time.Now()
	second := join(t, cfg, drain)
	defer second.leave()
	second.await(t, rebalancePartitions/2)
	settled = time.Since(begun)
	first.mu.Lock()
	defer first.mu.Unlock()
	second.mu.Lock()
	defer second.mu.Unlock()
	for k, at := range second.came {
		unowned = max(unowned, at.Sub(first.went[k]))
	}
	return settled, unowned
}

func TestAMemberAsksOnceASecondWhetherTheGroupMoves(t *testing.T) {
	c := cluster(t)
	for session, want := range map[time.Duration]time.Duration{10 * time.Second: time.Second, 2 * time.Second: 500 * time.Millisecond} {
		r := join(t, MemberConfig{
			Brokers: c.ListenAddrs(), Group: "g-" + session.String(), InstanceID: "pod-0", Topics: []string{"logs"}, SessionTimeout: session,
		}, 0)
		if got := r.member.client.OptValue(kgo.HeartbeatInterval); got != want {
			t.Errorf("with a session timeout of %v it asks every %v, want %v", session, got, want)
		}
		r.leave()
	}
}

// BenchmarkRebalance compares, in pairs against one real broker, heartbeats of a
// quarter of the session timeout, as is usual, with those of [Join]. Members
// learn of a rebalance by a heartbeat: those that are there of the first half,
// and who joined of the second one, when partitions have been let go.
func BenchmarkRebalance(b *testing.B) {
	brokers := kafkatest.Brokers(b)
	for _, drain := range []time.Duration{0, time.Second} {
		b.Run("drain="+drain.String(), func(b *testing.B) {
			var settled, unowned [2][]time.Duration
			for b.Loop() {
				for i, more := range [][]kgo.Opt{{kgo.HeartbeatInterval(quarter)}, nil} {
					s, u := rebalance(b, brokers, drain, more...)
					settled[i], unowned[i] = append(settled[i], s), append(unowned[i], u)
				}
			}
			for i, name := range []string{"quarter", "ours"} {
				slices.Sort(settled[i])
				slices.Sort(unowned[i])
				mid, last := len(settled[i])/2, len(settled[i])-1
				b.Logf("%s: settled in %v, at most %v; partitions without an owner for %v, at most %v; %d runs", name,
					settled[i][mid], settled[i][last], unowned[i][mid], unowned[i][last], len(settled[i]))
				b.ReportMetric(settled[i][mid].Seconds(), name+"-settled-s")
				b.ReportMetric(unowned[i][mid].Seconds(), name+"-unowned-s")
			}
		})
	}
}
