package parent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

var keyA = ledger.Key{Topic: "logs", Partition: 0}

// office is a parent between a fake group, fake books and fake workers.
type office struct {
	mu          sync.Mutex
	beats       int
	beatErr     error
	committed   []map[ledger.Key]int64
	generation  int32
	committedIn []int32
	settled     map[uuid.UUID]worker.Tally
	settles     []uuid.UUID
	evidence    []uuid.UUID
	isolating   []ledger.Key
	parent      *Parent
}

func newOffice(t *testing.T, slots int) *office {
	o := &office{settled: map[uuid.UUID]worker.Tally{}}
	o.parent = New(Config{
		Group: o, Books: o, Isolator: o, Slots: slots, Log: slog.New(slog.DiscardHandler),
		Go: func(_ string, f func(context.Context) error) { go func() { _ = f(t.Context()) }() },
	})
	return o
}

func (o *office) Heartbeat(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.beats++
	return o.beatErr
}

func (o *office) Generation() int32 { return o.generation }

func (o *office) Commit(_ context.Context, generation int32, offsets map[ledger.Key]int64) error {
	o.committed = append(o.committed, offsets)
	o.committedIn = append(o.committedIn, generation)
	return nil
}

func (o *office) Settle(_ context.Context, _ ledger.Key, token uuid.UUID) (worker.Tally, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settles = append(o.settles, token)
	return o.settled[token], nil
}

func (o *office) AddEvidence(_ context.Context, _ ledger.Key, token uuid.UUID, _ string) (int64, int32, bool, error) {
	o.evidence = append(o.evidence, token)
	return 0, 1, true, nil
}

func (o *office) Start(key ledger.Key) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isolating = append(o.isolating, key)
	return nil
}

func (o *office) Stop(ledger.Key) {}

// hand is a fake worker.
type hand struct {
	mu       sync.Mutex
	grants   []ledger.Grant
	released []ledger.Key
	events   chan worker.Event
}

func newHand() *hand { return &hand{events: make(chan worker.Event)} }

func (h *hand) Assign(_ context.Context, grants []ledger.Grant) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.grants = append(h.grants, grants...)
	return nil
}

func (h *hand) Release(_ context.Context, keys []ledger.Key, _ time.Duration) ([]worker.Progress, error) {
	h.released = append(h.released, keys...)
	return nil, nil
}

func (h *hand) Watch(ctx context.Context, f func(worker.Event)) error {
	for e := range h.events {
		f(e)
	}
	return nil
}

func (h *hand) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.grants)
}

func (h *hand) last() ledger.Grant {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.grants[len(h.grants)-1]
}

func TestPartitionsAreSpreadOverTheSlotsAndEachGrantHasItsOwnToken(t *testing.T) {
	o := newOffice(t, 2)
	first, second := newHand(), newHand()
	o.parent.WorkerReady(t.Context(), 0, 1, first)
	o.parent.WorkerReady(t.Context(), 1, 1, second)
	var keys []ledger.Key
	for p := range int32(8) {
		keys = append(keys, ledger.Key{Topic: "logs", Partition: p})
	}
	o.parent.Assigned(t.Context(), keys)
	if len(first.grants) != 4 || len(second.grants) != 4 {
		t.Errorf("%d and %d grants", len(first.grants), len(second.grants))
	}
	seen := map[uuid.UUID]bool{}
	for _, g := range append(first.grants, second.grants...) {
		seen[g.Token] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d different tokens", len(seen))
	}
	close(first.events)
	close(second.events)
}

func TestAFencedPartitionIsGrantedAgainAfterAHeartbeatThatFollowsTheNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 1)
		h := newHand()
		o.parent.WorkerReady(t.Context(), 0, 1, h)
		o.parent.Assigned(t.Context(), []ledger.Key{keyA})
		o.beatErr = errors.New("not in the group any more")
		h.events <- worker.Event{Kind: worker.Fenced, Progress: worker.Progress{Key: keyA, Token: h.last().Token}}
		time.Sleep(time.Minute)
		synctest.Wait()
		if h.count() != 1 || o.beats == 0 {
			t.Errorf("%d grants after %d unanswered heartbeats", h.count(), o.beats)
		}
		o.mu.Lock()
		o.beatErr = nil
		o.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if h.count() != 2 || o.parent.Status().Steals != 1 {
			t.Errorf("%d grants, %d steals after an answered heartbeat", h.count(), o.parent.Status().Steals)
		}
		close(h.events)
	})
}

func TestAPartitionThatWasRevokedMeanwhileIsNotGrantedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 1)
		h := newHand()
		o.parent.WorkerReady(t.Context(), 0, 1, h)
		o.parent.Assigned(t.Context(), []ledger.Key{keyA})
		h.events <- worker.Event{Kind: worker.Fenced, Progress: worker.Progress{Key: keyA, Token: h.last().Token}}
		o.parent.Revoked(t.Context(), []ledger.Key{keyA})
		time.Sleep(time.Minute)
		synctest.Wait()
		if h.count() != 1 {
			t.Errorf("%d grants", h.count())
		}
		close(h.events)
	})
}

func TestANoticeAboutAnOlderGrantChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 1)
		h := newHand()
		o.parent.WorkerReady(t.Context(), 0, 1, h)
		o.parent.Assigned(t.Context(), []ledger.Key{keyA})
		h.events <- worker.Event{Kind: worker.Fenced, Progress: worker.Progress{Key: keyA, Token: uuid.New()}}
		time.Sleep(time.Minute)
		synctest.Wait()
		if h.count() != 1 || o.beats != 0 {
			t.Errorf("%d grants, %d heartbeats", h.count(), o.beats)
		}
		close(h.events)
	})
}

func TestGroupOffsetsAreAnsweredCommitsAndForgottenWithThePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 1)
		h := newHand()
		o.parent.WorkerReady(t.Context(), 0, 1, h)
		o.parent.Assigned(t.Context(), []ledger.Key{keyA})
		if offsets := o.parent.Offsets(); len(offsets) != 0 {
			t.Errorf("offsets before any answer: %v", offsets)
		}
		h.events <- worker.Event{Kind: worker.Changed, Partitions: []worker.Progress{{Key: keyA, Token: h.last().Token, Committed: 40, ReadTo: 90}}}
		synctest.Wait()
		if diff := cmp.Diff(map[ledger.Key]int64{keyA: 40}, o.parent.Offsets()); diff != "" {
			t.Errorf("offsets (-want +got):\n%s", diff)
		}
		o.generation = 4
		o.parent.CommitOffsets(t.Context())
		if len(o.committed) != 1 || o.committed[0][keyA] != 40 || o.committedIn[0] != 4 {
			t.Errorf("committed %v in generations %v", o.committed, o.committedIn)
		}
		o.parent.Revoked(t.Context(), []ledger.Key{keyA})
		o.parent.Assigned(t.Context(), []ledger.Key{keyA})
		if offsets := o.parent.Offsets(); len(offsets) != 0 {
			t.Errorf("a stale offset goes to the group: %v", offsets)
		}
		close(h.events)
	})
}

func TestPartitionsOfADeadWorkerGoToTheNextProcessOfItsSlot(t *testing.T) {
	o := newOffice(t, 1)
	first, second := newHand(), newHand()
	o.parent.WorkerReady(t.Context(), 0, 1, first)
	o.parent.Assigned(t.Context(), []ledger.Key{keyA})
	close(first.events)
	o.parent.WorkerExit(t.Context(), 0, 1)
	o.parent.WorkerReady(t.Context(), 0, 2, second)
	if second.count() != 1 || second.last().Token == first.last().Token {
		t.Errorf("grants %v", second.grants)
	}
	close(second.events)
}

func TestOnlyItsOwnDeathIsEvidence(t *testing.T) {
	for name, own := range map[string]bool{"a panic is evidence": true, "a SIGKILL from outside is not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, 1)
				h, isolated := newHand(), newHand()
				o.parent.WorkerReady(t.Context(), 0, 1, h)
				o.parent.Assigned(t.Context(), []ledger.Key{keyA})
				h.events <- worker.Event{Kind: worker.NeedsIsolation, Progress: worker.Progress{Key: keyA, Token: h.last().Token}}
				synctest.Wait()
				if len(o.isolating) != 1 {
					t.Fatalf("isolating %v", o.isolating)
				}
				o.parent.IsolationReady(t.Context(), keyA, 1, isolated)
				token := isolated.last().Token
				o.parent.IsolationExit(t.Context(), keyA, 1, Death{Own: own, Words: "panic: x"})
				if got := len(o.evidence) == 1 && o.evidence[0] == token; got != own {
					t.Errorf("evidence %v", o.evidence)
				}
				again := newHand()
				o.parent.IsolationReady(t.Context(), keyA, 2, again)
				if again.count() != 1 || h.count() != 1 {
					t.Errorf("%d grants to the isolation process, %d to the worker", again.count(), h.count())
				}
				again.events <- worker.Event{Kind: worker.IsolationDone, Progress: worker.Progress{Key: keyA, Token: again.last().Token}}
				synctest.Wait()
				if h.count() != 2 {
					t.Error("the partition does not come back to its worker")
				}
				close(h.events)
				close(isolated.events)
				close(again.events)
			})
		})
	}
}

func TestTheReportAddsUpForAKilledWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 1)
		h := newHand()
		o.parent.WorkerReady(t.Context(), 0, 1, h)
		o.parent.Assigned(t.Context(), []ledger.Key{keyA})
		token := h.last().Token
		h.events <- worker.Event{Kind: worker.Changed, Partitions: []worker.Progress{{
			Key: keyA, Token: token, Committed: 10, ReadTo: 30, Tally: worker.Tally{Read: 30, Stored: 10},
		}}}
		synctest.Wait()
		// It had committed more than it had told.
		o.settled[token] = worker.Tally{Read: 20, Stored: 19, Dead: 1}
		close(h.events)
		o.parent.WorkerExit(t.Context(), 0, 1)
		r := o.parent.Final(t.Context())
		if line, want := r.Line(), "read 30 = stored 19 + dead-lettered 1 + sampled out 0 + handed back 10 + unresolved 0; lost 0"; line != want {
			t.Errorf("line\n%s\nwant\n%s", line, want)
		}
		if len(r.Silent) != 1 || r.Silent[0].From != 10 || r.Silent[0].To != 30 {
			t.Errorf("killed workers %+v", r.Silent)
		}
	})
}

func TestTheReportCountsWhatIsLost(t *testing.T) {
	r := Report{Tally: worker.Tally{Read: 1_253_412, Stored: 1_249_532, HandedBack: 3_879}}
	if line, want := r.Line(), "read 1,253,412 = stored 1,249,532 + dead-lettered 0 + sampled out 0 + handed back 3,879 + unresolved 0; lost 1"; line != want {
		t.Errorf("line\n%s\nwant\n%s", line, want)
	}
}

func TestAnUnresolvedBatchIsItsOwnTermOfTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 1)
		h := newHand()
		o.parent.WorkerReady(t.Context(), 0, 1, h)
		o.parent.Assigned(t.Context(), []ledger.Key{keyA})
		unresolved := worker.Unresolved{Key: keyA, From: 10, To: 15, XID: 99}
		h.events <- worker.Event{
			Kind:       worker.Stopped,
			Partitions: []worker.Progress{{Key: keyA, Token: h.last().Token, Tally: worker.Tally{Read: 15, Stored: 10, Unresolved: 5}}},
			Unresolved: []worker.Unresolved{unresolved},
		}
		close(h.events)
		synctest.Wait()
		r := o.parent.Final(t.Context())
		if r.Tally.Unresolved != 5 || r.Lost() != 0 || len(r.Unresolved) != 1 || r.Unresolved[0] != unresolved {
			t.Errorf("report %+v", r)
		}
	})
}
