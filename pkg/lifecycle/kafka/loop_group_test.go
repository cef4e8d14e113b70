package kafka_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
)

// In real time: a commit that waits for a rebalance waits at a mutex, and time in a bubble stands still meanwhile.
func TestMembersThatComeAndGoProcessNoRecordTwice(t *testing.T) {
	b := newBroker(t)
	defer b.close()
	const records = 600
	b.fill(records)
	var done book
	reach := func(n int) {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		limit := time.NewTimer(time.Minute)
		defer limit.Stop()
		for got, _ := done.count(); got < n; got, _ = done.count() {
			select {
			case <-tick.C:
			case <-limit.C:
				t.Fatalf("%d of %d records were processed", got, n)
			}
		}
	}
	join := func() func() (time.Duration, error) {
		g := newGroup(t)
		addLoop(t, g, b.member(kgo.HeartbeatInterval(50*time.Millisecond)), done.slowly(time.Millisecond), kafka.WithMaxRecords(20))
		return run(t, g)
	}
	first := join()
	reach(100)
	second := join()
	reach(250)
	for _, stop := range []func() (time.Duration, error){first, second} {
		if took, err := stop(); err != nil || took > 10*time.Second {
			t.Errorf("took %v, %v", took, err)
		}
	}
	last := join()
	reach(records)
	if _, err := last(); err != nil {
		t.Error(err)
	}
	if n, twice := done.count(); n != records || twice != 0 || b.committed() != records {
		t.Errorf("%d processed, %d twice, %d committed", n, twice, b.committed())
	}
}

func TestAFrozenBrokerCostsALoopNoMoreThanItsCommitAndItsLeave(t *testing.T) {
	static := []kgo.Opt{kgo.InstanceID("one")}
	for name, c := range map[string]struct {
		opts   []kgo.Opt
		idle   bool          // it has processed everything when the broker freezes
		frozen time.Duration // before the stop
		limit  time.Duration
		code   int
	}{
		"idle":                    {nil, true, time.Second, 2500 * time.Millisecond, lifecycle.ExitError},
		"a batch in work":         {nil, false, time.Second, 11 * time.Second, lifecycle.ExitDeadline},
		"a batch to commit":       {nil, false, time.Minute, 8 * time.Second, lifecycle.ExitDeadline},
		"a static member":         {static, true, time.Second, time.Second, lifecycle.ExitClean},
		"a static member in work": {static, false, time.Second, 9 * time.Second, lifecycle.ExitDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				defer b.close()
				b.fill(40)
				g := newGroup(t)
				began := make(chan struct{}, 1)
				work := new(book).slowly(100 * time.Millisecond)
				addLoop(t, g, b.member(c.opts...), func(ctx context.Context, batch *kafka.Batch) error {
					select {
					case began <- struct{}{}:
					default:
					}
					return work(ctx, batch)
				})
				stop := run(t, g)
				<-began
				if c.idle {
					<-time.After(time.Minute)
				}
				b.frozen.Store(true)
				<-time.After(c.frozen)
				took, err := stop()
				if took > c.limit || lifecycle.ExitCode(err) != c.code {
					t.Errorf("took %v of %v, exit code %d, not %d: %v", took, c.limit, lifecycle.ExitCode(err), c.code, err)
				}
				<-time.After(5 * time.Minute) // for what was abandoned
			})
		})
	}
}

func TestALoopThatCanNotWorkIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		process := func(context.Context, *kafka.Batch) error { return nil }
		taken := newGroup(t)
		addLoop(t, taken, b.member(), process)
		for name, add := range map[string]func() (*kgo.Client, error){
			"no group of parts": func() (*kgo.Client, error) { return kafka.AddLoop(nil, "loop", b.member(), process) },
			"no process":        func() (*kgo.Client, error) { return kafka.AddLoop(newGroup(t), "loop", b.member(), nil) },
			"no consumer group": func() (*kgo.Client, error) { return kafka.AddLoop(newGroup(t), "loop", b.options(), process) },
			"batches of nothing": func() (*kgo.Client, error) {
				return kafka.AddLoop(newGroup(t), "loop", b.member(), process, kafka.WithMaxRecords(0))
			},
			"options that clash": func() (*kgo.Client, error) {
				return kafka.AddLoop(newGroup(t), "loop", b.member(kgo.AutoCommitMarks()), process)
			},
			"a name that is used": func() (*kgo.Client, error) { return kafka.AddLoop(taken, "loop", b.member(), process) },
		} {
			if _, err := add(); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		taken.Shutdown(nil)
		if err := taken.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
