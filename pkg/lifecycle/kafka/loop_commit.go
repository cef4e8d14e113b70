package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lost are the answers to a commit which say that this member does not own its partitions any more.
var lost = []error{
	kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.StaleMemberEpoch, kerr.FencedMemberEpoch,
}

// lastPause lies between the attempts of the stop, which has less time than the loop.
const lastPause = 100 * time.Millisecond

// commit commits a batch that is done, however long that takes, but not into the stop: phase lifecycle.Commit has its
// own time for it.
func (l *loop) commit(p *progress) error {
	for !l.over() {
		err := l.commitOnce(l.intake, p)
		switch {
		case err == nil:
			l.trouble.Store(nil)
			l.drop(p)
			return nil
		case l.over():
			return nil
		case errors.Is(err, kerr.FencedInstanceID):
			return fmt.Errorf("another process has the same instance id: %w", err)
		case isLost(err):
			l.troubled("batch is processed again elsewhere, the group has moved on", err, slog.Int("records", len(p.records)))
			l.drop(p)
			return nil
		}
		l.troubled("offsets can't be committed", err)
		l.pause()
	}
	return nil
}

// commitLast is the commit of the stop: of whatever is done, also of a batch whose Process never came back.
func (l *loop) commitLast(ctx context.Context) error {
	l.mu.Lock()
	p := l.current
	l.mu.Unlock()
	for p != nil && l.uncommitted() > 0 {
		err := l.commitOnce(ctx, p)
		if err == nil {
			continue
		}
		if isFinal(err) {
			return err
		}
		// The first attempt may be one of the loop, which began to fail long ago.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lastPause):
		}
	}
	return nil
}

// isFinal reports whether no later commit of this member can succeed.
func isFinal(err error) bool {
	return isLost(err) || errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, kgo.ErrClientClosed)
}

// attempt is a commit on its way.
type attempt struct {
	done chan struct{}
	err  error // readable once done is closed
}

// commitOnce commits what is done of p. It waits until the end of ctx, but the commit goes on: a request that waits for
// a connection to a frozen broker does not heed its context, and no other commit can pass it.
func (l *loop) commitOnce(ctx context.Context, p *progress) error {
	a := l.attempt(p)
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return fmt.Errorf("commit: %w", context.Cause(ctx))
	}
}

// attempt begins a commit of what is done of p, unless there is one on its way.
func (l *loop) attempt(p *progress) *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempted != nil {
		return l.attempted
	}
	a := &attempt{done: make(chan struct{})}
	l.attempted = a
	offsets, n := p.offsets()
	go func() {
		defer close(a.done)
		a.err = l.send(offsets)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.attempted = nil
		if a.err == nil {
			p.committed = max(p.committed, n)
		}
	}()
	return a
}

func (l *loop) send(offsets map[string]map[int32]kgo.EpochOffset) (failed error) {
	l.client.CommitOffsetsSync(l.life, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = commitError(resp, err)
	})
	if failed != nil {
		return fmt.Errorf("commit: %w", failed)
	}
	return nil
}

// commitError returns the first error in the answer to a commit.
func commitError(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

func isLost(err error) bool {
	for _, l := range lost {
		if errors.Is(err, l) {
			return true
		}
	}
	return false
}

// drop forgets a batch that needs no commit any more.
func (l *loop) drop(p *progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == p {
		l.current = nil
	}
}
