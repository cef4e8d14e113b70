package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
)

// book counts how often each record was processed.
type book struct {
	mu    sync.Mutex
	times map[string]int
}

func (b *book) add(r *kgo.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.times == nil {
		b.times = make(map[string]int)
	}
	b.times[fmt.Sprintf("%d@%d", r.Partition, r.Offset)]++
}

// count returns how many records were processed, and how many more than once.
func (b *book) count() (records, twice int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.times {
		if n > 1 {
			twice++
		}
	}
	return len(b.times), twice
}

// has reports whether a record was processed.
func (b *book) has(partition int32, offset int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.times[fmt.Sprintf("%d@%d", partition, offset)] > 0
}

// slowly processes each record for a time.
func (b *book) slowly(perRecord time.Duration) kafka.Process {
	return func(ctx context.Context, batch *kafka.Batch) error {
		for i, r := range batch.Records {
			select {
			case <-time.After(perRecord):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			b.add(r)
			batch.Done(i)
		}
		return nil
	}
}

// member returns the options of a client for a loop.
func (b *broker) member(opts ...kgo.Opt) []kgo.Opt {
	return b.options(append([]kgo.Opt{kgo.ConsumerGroup("workers"), kgo.ConsumeTopics(topic)}, opts...)...)
}

// fill produces records, spread over the partitions.
func (b *broker) fill(n int) {
	b.t.Helper()
	cl := b.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	defer cl.Close()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = kgo.StringRecord(fmt.Sprint(i))
	}
	if err := cl.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// committed is the number of records below the committed offsets.
func (b *broker) committed() (sum int64) {
	for _, c := range b.commits() {
		sum += c.Offset
	}
	return sum
}

// commits are the offsets of the group, if there has been one.
func (b *broker) commits() map[int32]kfake.GroupCommit {
	if info := b.cluster.GroupInfo("workers"); info != nil {
		return info.Commits[topic]
	}
	return nil
}

func addLoop(t *testing.T, g *lifecycle.Group, client []kgo.Opt, p kafka.Process, opts ...kafka.LoopOption) {
	t.Helper()
	if _, err := kafka.AddLoop(g, "loop", client, p, opts...); err != nil {
		t.Fatal(err)
	}
}

// part finds a part in the report.
func part(t *testing.T, g *lifecycle.Group, ph lifecycle.Phase, name string) lifecycle.PartReport {
	t.Helper()
	for _, p := range g.Report().Phases[ph-1].Parts {
		if p.Name == name {
			return p
		}
	}
	t.Errorf("no part %q in phase %v", name, ph)
	return lifecycle.PartReport{}
}

func TestEveryRecordIsProcessedAndCommittedOnceByALoopThatIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		b.fill(500)
		var done book
		g := newGroup(t)
		addLoop(t, g, b.member(), done.slowly(time.Millisecond), kafka.WithMaxRecords(30))
		stop := run(t, g)
		<-time.After(time.Minute)
		if took, err := stop(); err != nil || took > time.Second {
			t.Errorf("took %v, %v", took, err)
		}
		if n, twice := done.count(); n != 500 || twice != 0 {
			t.Errorf("%d records were processed, %d twice", n, twice)
		}
		if n := b.committed(); n != 500 {
			t.Errorf("%d are committed", n)
		}
		if n := len(b.cluster.GroupInfo("workers").Members); n != 0 {
			t.Errorf("%d members are left in the group", n)
		}
	})
}

func TestTheBatchInWorkIsFinishedAndCommittedAndNoOtherIsBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		b.fill(100)
		var done book
		g := newGroup(t)
		addLoop(t, g, b.member(), done.slowly(time.Second), kafka.WithMaxRecords(8))
		stop := run(t, g)
		<-time.After(11500 * time.Millisecond) // in the second batch
		before, _ := done.count()
		took, err := stop()
		if err != nil || took > 8*time.Second {
			t.Errorf("took %v, %v", took, err)
		}
		n, _ := done.count()
		if n%8 != 0 || n <= before || n > before+8 {
			t.Errorf("%d records were processed, %d of them before the stop", n, before)
		}
		if c := b.committed(); c != int64(n) {
			t.Errorf("%d were processed, %d are committed", n, c)
		}
		p := part(t, g, lifecycle.Drain, "loop")
		if *p.RemainingBefore == 0 || *p.RemainingAfter != 0 {
			t.Errorf("in work: %d, then %d", *p.RemainingBefore, *p.RemainingAfter)
		}
		if p.Estimate == nil || time.Duration(*p.Estimate) < took-2*time.Second || time.Duration(*p.Estimate) > took+2*time.Second {
			t.Errorf("estimated %v, took %v", p.Estimate, took)
		}
	})
}

func TestWhatIsDoneBelowAGapIsCommittedEvenIfTheLoopHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		cl := b.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for range 10 {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Partition: 2}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		cl.Close()
		release := make(chan struct{})
		g := newGroup(t)
		addLoop(t, g, b.member(), func(_ context.Context, batch *kafka.Batch) error {
			for _, i := range []int{3, 0, 9, 1, 2, 5, 6} { // 4 is missing
				batch.Done(i)
			}
			<-release
			return nil
		})
		stop := run(t, g)
		<-time.After(10 * time.Second)
		_, err := stop()
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d of %v", code, err)
		}
		if c := b.cluster.GroupInfo("workers").Commits[topic][2]; c.Offset != 4 {
			t.Errorf("committed is offset %d", c.Offset)
		}
		p := part(t, g, lifecycle.Drain, "loop")
		if p.Outcome != lifecycle.Abandoned || len(p.Stuck) != 1 || !strings.HasPrefix(p.Stuck[0], "3 records of records/2 from offset 4 for ") {
			t.Errorf("%+v", p)
		}
		if p := part(t, g, lifecycle.Commit, "loop/commit"); p.Outcome != lifecycle.Clean || *p.RemainingBefore != 4 || *p.RemainingAfter != 0 {
			t.Errorf("%+v", p)
		}
		close(release)
	})
}

func TestAProcessThatHeedsItsContextIsCutAtTheEndOfTheDrainAndCommitsWhatItDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		b.fill(100)
		var done book
		g := newGroup(t)
		addLoop(t, g, b.member(), done.slowly(time.Second))
		stop := run(t, g)
		<-time.After(12500 * time.Millisecond)
		_, err := stop()
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d of %v", code, err)
		}
		if p := part(t, g, lifecycle.Drain, "loop"); p.Outcome != lifecycle.Forced {
			t.Errorf("%+v", p)
		}
		n, _ := done.count()
		if c := b.committed(); c != int64(n) || n == 0 || n == 100 {
			t.Errorf("%d were processed, %d are committed", n, c)
		}
	})
}

func TestAPoisonRecordStopsTheGroupAndEverythingBelowItIsCommitted(t *testing.T) {
	for _, kind := range []string{"poison", "error", "panic"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				defer b.close()
				b.fill(40)
				g := newGroup(t)
				bad := errors.New("no such format")
				addLoop(t, g, b.member(), func(_ context.Context, batch *kafka.Batch) error {
					for i, r := range batch.Records {
						if r.Offset == 5 {
							switch kind {
							case "poison":
								return batch.Poison(i, bad)
							case "panic":
								panic(bad)
							}
							return bad
						}
						batch.Done(i)
					}
					return nil
				}, kafka.WithMaxRecords(1))
				err := g.Run(t.Context())
				if code := lifecycle.ExitCode(err); code != lifecycle.ExitError || !strings.Contains(err.Error(), "no such format") {
					t.Errorf("exit code %d of %v", code, err)
				}
				var poison *kafka.PoisonError
				if is := errors.As(err, &poison); is != (kind == "poison") || is && (poison.Record.Offset != 5 || !errors.Is(err, bad)) {
					t.Errorf("got %v", err)
				}
				for p, c := range b.cluster.GroupInfo("workers").Commits[topic] {
					if c.Offset > 5 {
						t.Errorf("committed in partition %d is offset %d, above the poison", p, c.Offset)
					}
				}
				if b.committed() < 5 {
					t.Errorf("committed are %d", b.committed())
				}
			})
		})
	}
}

func TestPoisonRecordsArePutAsideAndTheOthersAreProcessedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		b.fill(100)
		var done, aside book
		g := newGroup(t)
		addLoop(t, g, b.member(), func(_ context.Context, batch *kafka.Batch) error {
			for i, r := range batch.Records {
				if r.Offset%7 == 3 {
					return batch.Poison(i, errors.New("odd"))
				}
				done.add(r)
				batch.Done(i)
			}
			return nil
		}, kafka.WithPoison(func(_ context.Context, r *kgo.Record, reason error) error {
			aside.add(r)
			if reason.Error() != "odd" {
				t.Error(reason)
			}
			return nil
		}))
		stop := run(t, g)
		<-time.After(20 * time.Second)
		if _, err := stop(); err != nil {
			t.Error(err)
		}
		n, twice := done.count()
		poison, poisonTwice := aside.count()
		if n+poison != 100 || poison == 0 || twice+poisonTwice != 0 || b.committed() != 100 {
			t.Errorf("%d processed, %d twice, %d put aside, %d twice, %d committed", n, twice, poison, poisonTwice, b.committed())
		}
	})
}

func TestAPoisonRecordThatCanNotBePutAsideStopsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		b.fill(1)
		g := newGroup(t)
		full := errors.New("the table is full")
		addLoop(t, g, b.member(), func(_ context.Context, batch *kafka.Batch) error {
			return batch.Poison(0, errors.New("odd"))
		}, kafka.WithPoison(func(context.Context, *kgo.Record, error) error { return full }))
		if err := g.Run(t.Context()); lifecycle.ExitCode(err) != lifecycle.ExitError || !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		if b.committed() != 0 {
			t.Errorf("committed are %d", b.committed())
		}
	})
}

func TestACommitIsTriedAgainUntilItSucceedsAndTheLoopIsDegradedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		b.fill(20)
		b.answerCommits(kerr.GroupAuthorizationFailed)
		var done book
		g := newGroup(t)
		addLoop(t, g, b.member(), done.slowly(time.Millisecond), kafka.WithMaxRecords(10))
		stop := run(t, g)
		<-time.After(20 * time.Second)
		if n, _ := done.count(); n != 10 {
			t.Errorf("%d records were processed while nothing could be committed", n)
		}
		if s := g.Status(); !s.Ready || !strings.Contains(s.Reason, "loop is degraded: offsets can't be committed") {
			t.Errorf("%+v", s)
		}
		b.answerCommits(nil)
		<-time.After(10 * time.Second)
		if s := g.Status(); s.Reason != "" {
			t.Errorf("%+v", s)
		}
		if _, err := stop(); err != nil {
			t.Error(err)
		}
		if n, twice := done.count(); n != 20 || twice != 0 || b.committed() != 20 {
			t.Errorf("%d processed, %d twice, %d committed", n, twice, b.committed())
		}
	})
}

func TestABatchWhosePartitionsOthersHaveIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		b.fill(20)
		b.answerCommits(kerr.IllegalGeneration)
		var done book
		g := newGroup(t)
		addLoop(t, g, b.member(), done.slowly(time.Millisecond), kafka.WithMaxRecords(10))
		stop := run(t, g)
		<-time.After(20 * time.Second)
		if n, _ := done.count(); n != 20 {
			t.Errorf("%d records were processed", n)
		}
		if _, err := stop(); err != nil {
			t.Error(err)
		}
		if b.committed() != 0 {
			t.Errorf("%d are committed", b.committed())
		}
	})
}

func TestTheCommitOfAStopIsTriedAgainInPeaceAndOnlyWhereItCanSucceed(t *testing.T) {
	for name, c := range map[string]struct {
		answer *kerr.Error
		atMost int64
	}{
		"a refusal that may pass":             {kerr.GroupAuthorizationFailed, 200},
		"another process has the instance id": {kerr.FencedInstanceID, 1},
		"the group has moved on":              {kerr.IllegalGeneration, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				defer b.close()
				b.fill(20)
				b.answerCommits(kerr.GroupAuthorizationFailed)
				var done book
				g := newGroup(t)
				addLoop(t, g, b.member(), done.slowly(time.Millisecond))
				stop := run(t, g)
				<-time.After(5 * time.Second)
				b.answerCommits(c.answer)
				before := b.refused.Load()
				if _, err := stop(); err == nil || c.atMost == 1 && !errors.Is(err, c.answer) {
					t.Errorf("the stop says %v", err)
				}
				if n := b.refused.Load() - before; n < 1 || n > c.atMost {
					t.Errorf("%d commits in the stop", n)
				}
			})
		})
	}
}

// mostRefused bounds a test whose commits are repeated without a pause: its time would stand still.
const mostRefused = 1000

// answerCommits lets the broker refuse commits; nil lets them pass.
func (b *broker) answerCommits(with *kerr.Error) {
	b.refusal.Store(with)
	b.refuse.Do(func() {
		b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			refusal := b.refusal.Load()
			if refusal == nil || b.refused.Add(1) > mostRefused {
				return nil, nil, false
			}
			commit := req.(*kmsg.OffsetCommitRequest)
			resp := commit.ResponseKind().(*kmsg.OffsetCommitResponse)
			for _, t := range commit.Topics {
				rt := kmsg.NewOffsetCommitResponseTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, p := range t.Partitions {
					rp := kmsg.NewOffsetCommitResponseTopicPartition()
					rp.Partition, rp.ErrorCode = p.Partition, refusal.Code
					rt.Partitions = append(rt.Partitions, rp)
				}
				resp.Topics = append(resp.Topics, rt)
			}
			return resp, nil, true
		})
	})
}
