package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	// defaultMaxRecords keeps a batch short enough to be drained, and the commits of batches few.
	defaultMaxRecords = 1000
	// pauseTime lies between attempts after an error.
	pauseTime = 500 * time.Millisecond
)

// LoopOption configures [AddLoop].
type LoopOption interface{ applyLoop(*loop) }

type loopOptionFunc func(*loop)

func (f loopOptionFunc) applyLoop(l *loop) { f(l) }

// WithMaxRecords sets how many records a batch has at most; the default is 1000. Nothing more is polled before the batch
// is committed, so it is also the most that can be processed twice after a crash.
func WithMaxRecords(n int) LoopOption { return loopOptionFunc(func(l *loop) { l.maxRecords = n }) }

// WithPoison hands records that can never be processed to f, which puts them aside: a dead-letter topic, a table. When f
// returns nil, the record counts as done, and the rest of its batch is processed. Without WithPoison, and if f fails,
// such a record stops the group with a [PoisonError]; it comes again after the restart.
func WithPoison(f func(ctx context.Context, r *kgo.Record, reason error) error) LoopOption {
	return loopOptionFunc(func(l *loop) { l.poison = f })
}

// WithLogger sets where disturbances are logged that the loop survives. The default is nowhere.
func WithLogger(log *slog.Logger) LoopOption { return loopOptionFunc(func(l *loop) { l.log = log }) }

// AddLoop makes a client of opts and adds a loop that polls, processes and commits, one batch after the other, at least
// once: an offset is committed only when all records below it are done.
//
//	intake off  the poll ends
//	drain       the batch in work is finished; at the deadline the context of its Process ends
//	commit      what is done and not committed is committed, however Drain ended
//	leave       the client leaves its consumer group, within 2 s; a static member stays, as it should
//	close       the client is closed, at once even if its broker is frozen
//
// opts name the brokers, a consumer group and the topics; how the client commits, when it lets the group rebalance, and
// its context are up to the loop. A batch has to be processed and committed within kgo.RebalanceTimeout, 60 s by default:
// after that the others in the group no longer wait, and the batch is processed twice.
//
// A commit that fails is tried again, and nothing is polled until it succeeds. If the group has moved on meanwhile, the
// batch is given up: others have its partitions, and process it again. The health of the loop is degraded while its
// brokers don't answer. The group owns the client from here on, even if it never starts; it may be used to produce.
func AddLoop(g *lifecycle.Group, name string, opts []kgo.Opt, process Process, more ...LoopOption) (*kgo.Client, error) {
	if g == nil || process == nil {
		return nil, errors.New("kafka: group and process are required")
	}
	l := &loop{
		name: name, process: process, maxRecords: defaultMaxRecords, log: slog.New(slog.DiscardHandler),
	}
	for _, o := range more {
		o.applyLoop(l)
	}
	if l.maxRecords < 1 {
		return nil, fmt.Errorf("kafka: a loop with batches of %d records", l.maxRecords)
	}
	life, end := context.WithCancel(context.Background())
	own := append(ClientOptions(), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.WithContext(life))
	client, err := kgo.NewClient(slices.Concat(opts, own)...)
	if err != nil {
		end()
		return nil, fmt.Errorf("kafka: %w", err)
	}
	l.client, l.life = client, life
	if group, _ := client.OptValue(kgo.ConsumerGroup).(string); group == "" {
		end()
		client.CloseAllowingRebalance()
		return nil, errors.New("kafka: a loop needs a consumer group")
	}
	if err := l.addTo(g, end); err != nil {
		end()
		client.CloseAllowingRebalance()
		return nil, err
	}
	return client, nil
}

// addTo adds the parts of the loop. end ends the life of its client.
func (l *loop) addTo(g *lifecycle.Group, end context.CancelFunc) error {
	c := newConsumer(l.client)
	l.intake = c.intake
	l.task = g.Task(l.name, l.run)
	closes := closePart(l.name, l.client)
	stop := closes.Stop
	closes.Stop = func(ctx context.Context) error {
		end() // all is committed, and the group is left, or never will be: no request is worth waiting for
		return stop(ctx)
	}
	return add(g, closes, c.leavePart(l.name), flushPart(l.name, l.client),
		lifecycle.Part{
			Name: l.name + "/commit", Phase: lifecycle.Commit, Stop: l.commitLast,
			Remaining: l.uncommitted, Unit: "uncommitted",
		},
		lifecycle.Part{
			Name: l.name, Phase: lifecycle.Drain, Start: l.task.Start, Stop: l.drain, Kill: l.task.Cancel,
			Remaining: l.undone, Unit: "in work", Completed: l.total.Load, EstimateDrain: l.estimate, Stuck: l.stuck, Health: l.health,
		},
		c.intakePart(l.name),
	)
}

// loop polls, processes and commits.
type loop struct {
	name       string
	client     *kgo.Client
	process    Process
	poison     func(context.Context, *kgo.Record, error) error
	maxRecords int
	log        *slog.Logger

	intake context.Context //nolint:containedctx // ends with the intake, not with a call
	life   context.Context //nolint:containedctx // of the client
	task   *lifecycle.Task

	total   atomic.Uint64 // records done
	trouble atomic.Pointer[string]

	mu        sync.Mutex
	current   *progress     // polled and not committed
	attempted *attempt      // the commit on its way
	perRecord time.Duration // smoothed
}

// run polls until the intake ends. What a poll returned then is left alone: it is not committed and comes again.
// Rebalances stay blocked from then on until the last commit is done.
func (l *loop) run(ctx context.Context) error {
	for {
		fetches := l.client.PollRecords(l.intake, l.maxRecords)
		if l.over() {
			return nil
		}
		if err := l.disturbed(fetches.Errors()); err != nil {
			return err
		}
		if records := fetches.Records(); len(records) > 0 {
			if err := l.batch(ctx, newProgress(records, &l.total)); err != nil {
				return err
			}
		}
		if l.over() {
			return nil
		}
		l.client.AllowRebalance()
	}
}

// over reports whether the intake has ended.
func (l *loop) over() bool { return l.intake.Err() != nil }

// disturbed returns an error that no further poll can recover from.
func (l *loop) disturbed(errs []kgo.FetchError) error {
	if len(errs) == 0 {
		l.trouble.Store(nil)
		return nil
	}
	for _, e := range errs {
		switch {
		case errors.Is(e.Err, kgo.ErrClientClosed):
			return e.Err
		case errors.Is(e.Err, kerr.FencedInstanceID):
			return fmt.Errorf("another process has the same instance id: %w", e.Err)
		}
		l.troubled("consumer is disturbed", e.Err, slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)))
	}
	l.pause()
	return nil
}

// batch processes and commits what was polled.
func (l *loop) batch(ctx context.Context, p *progress) error {
	l.mu.Lock()
	l.current = p
	l.mu.Unlock()
	if err := l.through(ctx, p); err != nil {
		return err
	}
	l.learn(p)
	return l.commit(p)
}

// through has the batch processed; poison records are put aside.
func (l *loop) through(ctx context.Context, p *progress) error {
	for p.undone() > 0 {
		err := l.process(ctx, p.rest())
		if err == nil {
			p.allDone()
			return nil
		}
		var poison *PoisonError
		if !errors.As(err, &poison) || l.poison == nil {
			return err
		}
		if failed := l.poison(ctx, poison.Record, poison.Err); failed != nil {
			return fmt.Errorf("%w; it can't be put aside either: %w", err, failed)
		}
		p.done(poison.at)
	}
	return nil
}

// drain lets the batch in work be finished, and tells its Process at the deadline.
func (l *loop) drain(ctx context.Context) error {
	select {
	case <-l.task.Done():
	case <-ctx.Done():
	}
	return l.task.Stop(ctx)
}

func (l *loop) pause() {
	wait := time.NewTimer(pauseTime)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-l.intake.Done():
	}
}
