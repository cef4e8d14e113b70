package kafka

import (
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// undone is the number of records in work. When the loop has ended, nothing is: what it did not do comes again.
func (l *loop) undone() int64 {
	select {
	case <-l.task.Done():
		return 0
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return 0
	}
	return l.current.undone()
}

// uncommitted is the number of records that are done and not committed.
func (l *loop) uncommitted() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return 0
	}
	_, n := l.current.offsets()
	return int64(n - l.current.committed)
}

// smoothing is the weight of the past in the time that a record takes.
const smoothing = 4

// learn takes note of how long a batch took.
func (l *loop) learn(p *progress) {
	took := time.Since(p.begun) / time.Duration(len(p.records))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perRecord == 0 {
		l.perRecord = took
		return
	}
	l.perRecord += (took - l.perRecord) / smoothing
}

// estimate is how long the batch in work will take if it is as fast as those before.
func (l *loop) estimate() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil || l.current.undone() == 0 {
		return 0
	}
	return max(0, l.perRecord*time.Duration(len(l.current.records))-time.Since(l.current.begun))
}

// stuck names what is in work.
func (l *loop) stuck() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return nil
	}
	return l.current.undoneByPartition()
}

// troubled logs a disturbance and makes the loop degraded until the next poll or commit that succeeds. The error is for
// the log only: who asks for the health may be anybody.
func (l *loop) troubled(what string, err error, attrs ...any) {
	l.trouble.Store(&what)
	l.log.Warn("consumer is disturbed", append(attrs, slog.String("consumer", l.name), slog.String("disturbance", what), slog.Any("error", err))...)
}

// health is degraded while the last thing that was heard of the brokers was an error.
func (l *loop) health() lifecycle.Health {
	if text := l.trouble.Load(); text != nil {
		return lifecycle.Health{Condition: lifecycle.Degraded, Reason: *text}
	}
	return lifecycle.Health{}
}
