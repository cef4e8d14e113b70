package kafka_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// consume adds a consumer and the loop that polls it, and returns how many records it got.
func consume(t *testing.T, g *lifecycle.Group, cl *kgo.Client) func() int {
	t.Helper()
	c, err := kafka.AddConsumer(g, "consumer", cl)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	g.Go("loop", func(context.Context) error {
		for c.Intake().Err() == nil {
			got += cl.PollFetches(c.Intake()).NumRecords()
		}
		return nil
	})
	return func() int { return got }
}

func TestWhatIsBufferedIsFlushedWhateverTheLingerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		cl := b.client(kgo.ProducerLinger(time.Minute))
		if err := kafka.AddProducer(g, "producer", cl); err != nil {
			t.Fatal(err)
		}
		stop := run(t, g)
		for range 100 {
			cl.Produce(t.Context(), kgo.StringRecord("x"), func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if took, err := stop(); err != nil || took > time.Second {
			t.Errorf("took %v, %v", took, err)
		}
		if n := b.count(); n != 100 {
			t.Errorf("the broker has %d records", n)
		}
	})
}

func TestAConsumerStopsPollingAndLeavesItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		cl := b.client(kgo.ConsumerGroup("workers"), kgo.ConsumeTopics(topic))
		got := consume(t, g, cl)
		stop := run(t, g)
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		if members := len(b.cluster.GroupInfo("workers").Members); members != 1 {
			t.Fatalf("%d members", members)
		}
		if took, err := stop(); err != nil || took > time.Second {
			t.Errorf("took %v, %v", took, err)
		}
		if got() != 1 {
			t.Errorf("got %d records", got())
		}
		if members := len(b.cluster.GroupInfo("workers").Members); members != 0 {
			t.Errorf("%d members are left in the group", members)
		}
	})
}

func TestAFrozenBrokerCostsNoMoreThanTenSecondsWithTheDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		opts  []kgo.Opt
		limit time.Duration
	}{
		"any client":             {nil, 10 * time.Second},
		"dynamic member":         {kafka.ClientOptions(), 7 * time.Second},
		"static member":          {append(kafka.ClientOptions(), kgo.InstanceID("one")), 5 * time.Second},
		"rebalances are blocked": {append(kafka.ClientOptions(), kgo.BlockRebalanceOnPoll()), 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				defer b.close()
				g := newGroup(t)
				consume(t, g, b.client(append(c.opts, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics(topic))...))
				producer := b.client(c.opts...)
				if err := kafka.AddProducer(g, "producer", producer); err != nil {
					t.Fatal(err)
				}
				stop := run(t, g)
				if err := producer.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
					t.Fatal(err)
				}
				<-time.After(10 * time.Second)
				b.frozen.Store(true)
				failed := make(chan error, 1)
				producer.Produce(t.Context(), kgo.StringRecord("lost"), func(_ *kgo.Record, err error) { failed <- err })
				<-time.After(time.Second)
				took, err := stop()
				if took > c.limit {
					t.Errorf("took %v of %v: %v", took, c.limit, err)
				}
				if lifecycle.ExitCode(err) != lifecycle.ExitDeadline {
					t.Errorf("a record was lost and the exit code is %d: %v", lifecycle.ExitCode(err), err)
				}
				for _, p := range g.Report().Phases[lifecycle.Commit-1].Parts {
					if p.Name == "producer/flush" && (p.Outcome != lifecycle.Forced || *p.RemainingAfter != 1) {
						t.Errorf("the flush: %+v", p)
					}
				}
				if err := <-failed; !errors.Is(err, kgo.ErrClientClosed) {
					t.Errorf("the lost record: %v", err)
				}
				<-time.After(5 * time.Minute) // for what was abandoned
			})
		})
	}
}

func TestAPollThatNobodyAnsweredByAllowRebalanceDoesNotHoldUpTheLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		cl := b.client(kgo.ConsumerGroup("workers"), kgo.ConsumeTopics(topic), kgo.BlockRebalanceOnPoll())
		consume(t, g, cl)
		stop := run(t, g)
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		if took, err := stop(); err != nil || took > time.Second {
			t.Errorf("took %v, %v", took, err)
		}
	})
}

func TestAClientThatWasNeverUsedIsClosedEvenIfTheGroupNeverStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		if err := kafka.AddProducer(g, "producer", b.client()); err != nil {
			t.Fatal(err)
		}
		if _, err := kafka.AddConsumer(g, "consumer", b.client(kgo.ConsumerGroup("workers"), kgo.ConsumeTopics(topic))); err != nil {
			t.Fatal(err)
		}
		g.Shutdown(nil)
		if err := g.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestMissingArgumentsAreRefused(t *testing.T) {
	if err := kafka.AddProducer(nil, "x", nil); err == nil {
		t.Error("a producer of nothing")
	}
	if _, err := kafka.AddConsumer(newGroup(t), "x", nil); err == nil {
		t.Error("a consumer of nothing")
	}
}
