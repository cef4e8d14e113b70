package kafka_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/randomtest"
	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
)

func TestEveryRandomStopOfRealClientsEndsInTimeAndNoRecordIsForgotten(t *testing.T) {
	t.Parallel()
	percent := debug.SetGCPercent(1000) // there is little to keep, and most of the time went into collecting it
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	const lanes = 4
	seed, total := randomtest.Seed(t), randomtest.Size{CI: 2_000, Race: 200, Soak: 50_000}.Now()
	var clean, frozen atomic.Int64
	t.Cleanup(func() { t.Logf("%d stops: %d clean, %d with a frozen broker", total, clean.Load(), frozen.Load()) })
	for lane := range lanes {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			for i := lane; i < total && !t.Failed(); i += lanes {
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("stop %d of seed %d", i, seed)
						}
					}()
					r := newRandomStop(t, rand.New(rand.NewPCG(seed, uint64(i))))
					r.run()
					if r.freeze {
						frozen.Add(1)
					}
					if r.report.Outcome == lifecycle.Clean {
						clean.Add(1)
					}
				})
			}
		})
	}
}

// randomStop is a service that consumes and produces, and stops while its broker may freeze.
type randomStop struct {
	t      *testing.T
	r      *rand.Rand
	b      *broker
	g      *lifecycle.Group
	grace  time.Duration
	freeze bool
	report lifecycle.Report

	produced, acked, lost atomic.Int64

	done book // what the loop has processed
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func newRandomStop(t *testing.T, r *rand.Rand) *randomStop {
	t.Helper()
	grace := 10*time.Second + time.Duration(r.IntN(20))*time.Second
	return &randomStop{t: t, r: r, b: newBroker(t), grace: grace, g: newGroup(t, lifecycle.WithGrace(grace)), freeze: r.IntN(3) == 0}
}

func (s *randomStop) run() {
	defer s.b.close()
	r := s.r
	opts := pick(r, nil, kafka.ClientOptions())
	group := []kgo.Opt{kgo.ConsumerGroup("workers"), kgo.ConsumeTopics(topic)}
	static := r.IntN(4) == 0
	if static {
		group = append(group, kgo.InstanceID("one"))
	}
	looping := r.IntN(2) == 0
	producer := s.b.client(append([]kgo.Opt{kgo.ProducerLinger(time.Duration(r.IntN(3000)) * time.Millisecond)}, opts...)...)
	s.add(producer)
	perBatch := time.Duration(r.IntN(2000)) * time.Millisecond
	if looping {
		s.addLoop(group, perBatch/10)
	} else {
		s.consume(s.b.client(append(group, opts...)...), perBatch)
	}

	done := make(chan error, 1)
	go func() { done <- s.g.Run(s.t.Context()) }()
	<-s.g.Started()
	for range r.IntN(50) {
		s.produce(producer)
	}
	<-time.After(time.Duration(r.IntN(12000)) * time.Millisecond)
	if s.freeze {
		s.b.frozen.Store(true)
		<-time.After(time.Duration(r.IntN(3000)) * time.Millisecond)
	}
	s.produce(producer)
	hurry, over := time.Duration(r.IntN(5000))*time.Millisecond, make(chan struct{})
	began := time.Now()
	s.g.Signal(syscall.SIGTERM)
	hurried := r.IntN(4) == 0
	if hurried {
		go func() {
			select {
			case <-time.After(hurry):
				s.g.Signal(syscall.SIGTERM)
			case <-over:
			}
		}()
	}
	err := <-done
	took := time.Since(began)
	close(over)
	s.report = s.g.Report()
	if took > s.grace {
		s.t.Errorf("took %v of %v", took, s.grace)
	}
	if looping {
		s.checkLoop(hurried)
	}
	if !s.freeze {
		if left := len(s.b.cluster.GroupInfo("workers").Members); left != 0 && !static {
			s.t.Errorf("%d members are left in the group: %v", left, err)
		}
		if s.lost.Load() != 0 || s.acked.Load() != s.produced.Load() || s.b.count() != s.acked.Load() {
			s.t.Errorf("%d produced, %d acknowledged, %d lost, the broker has %d: %v", s.produced.Load(), s.acked.Load(), s.lost.Load(), s.b.count(), err)
		}
	}
	<-time.After(5 * time.Minute) // for what was abandoned
	if got := s.acked.Load() + s.lost.Load(); got != s.produced.Load() {
		s.t.Errorf("%d produced, but only %d are known to be acknowledged or lost", s.produced.Load(), got)
	}
	if code := lifecycle.ExitCode(err); s.lost.Load() > 0 && code != lifecycle.ExitDeadline {
		s.t.Errorf("%d records were lost and the exit code is %d: %v", s.lost.Load(), code, err)
	}
}

// checkLoop compares what is committed with what the loop has done.
func (s *randomStop) checkLoop(hurried bool) {
	for p, c := range s.b.commits() {
		for o := range c.Offset {
			if !s.done.has(p, o) {
				s.t.Errorf("offset %d of partition %d is committed, and record %d was not processed", c.Offset, p, o)
			}
		}
	}
	if s.freeze {
		return
	}
	// Also a stop that cut the loop short commits what it has done.
	if n, twice := s.done.count(); twice > 0 || s.b.committed() != int64(n) {
		s.t.Errorf("%d records were processed, %d twice, %d are committed (hurried: %v)", n, twice, s.b.committed(), hurried)
	}
}

// add adds the producer, and a part that sees the floor of Commit.
func (s *randomStop) add(producer *kgo.Client) {
	err := kafka.AddProducer(s.g, "producer", producer)
	if err == nil {
		err = s.g.Add(lifecycle.Part{Name: "floor", Phase: lifecycle.Commit, Stop: func(ctx context.Context) error {
			until, _ := ctx.Deadline()
			if left, floor := time.Until(until), s.g.Plan().Budget(lifecycle.Commit).Min; left < floor {
				s.t.Errorf("commit got %v, its floor is %v", left, floor)
			}
			return nil
		}})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// consume adds a client that consumes, with a loop that takes its time with every batch.
func (s *randomStop) consume(consumer *kgo.Client, perBatch time.Duration) {
	c, err := kafka.AddConsumer(s.g, "consumer", consumer)
	if err != nil {
		s.t.Fatal(err)
	}
	s.g.Go("loop", func(ctx context.Context) error {
		for c.Intake().Err() == nil {
			if consumer.PollFetches(c.Intake()).NumRecords() > 0 {
				select {
				case <-time.After(perBatch):
				case <-ctx.Done():
				}
			}
		}
		return nil
	})
}

// addLoop adds the loop of the package.
func (s *randomStop) addLoop(client []kgo.Opt, perRecord time.Duration) {
	if _, err := kafka.AddLoop(s.g, "loop", s.b.options(client...), s.done.slowly(perRecord), kafka.WithMaxRecords(1+s.r.IntN(40))); err != nil {
		s.t.Fatal(err)
	}
}

func (s *randomStop) produce(cl *kgo.Client) {
	s.produced.Add(1)
	cl.Produce(context.Background(), kgo.StringRecord("x"), func(_ *kgo.Record, err error) {
		if err != nil {
			s.lost.Add(1)
			return
		}
		s.acked.Add(1)
	})
}
