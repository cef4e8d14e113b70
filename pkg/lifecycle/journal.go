package lifecycle

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	maxNotes  = 64
	notesTime = 100 * time.Millisecond
)

// journal hands log lines to a logger that may block: stderr can be a full pipe whose reader is frozen. Lines go
// through a bounded queue to a goroutine; what does not fit is dropped, and the stop never waits for a line.
type journal struct {
	log   *slog.Logger
	queue chan slog.Record
	done  chan struct{}
	once  sync.Once
	mu    sync.Mutex
	shut  bool
}

func newJournal(log *slog.Logger) *journal {
	return &journal{log: log, queue: make(chan slog.Record, maxNotes), done: make(chan struct{})}
}

// open starts the goroutine. Lines that were added before wait in the queue.
func (j *journal) open() {
	j.once.Do(func() {
		go func() {
			defer close(j.done)
			for r := range j.queue {
				guard(func() error { return j.log.Handler().Handle(context.Background(), r) }, func(error) {})
			}
		}()
	})
}

// add queues a line or drops it.
func (j *journal) add(level slog.Level, msg string, attrs ...slog.Attr) {
	if !j.log.Enabled(context.Background(), level) {
		return
	}
	r := slog.NewRecord(time.Now(), level, msg, 0)
	r.AddAttrs(attrs...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.shut {
		return
	}
	select {
	case j.queue <- r:
	default:
	}
}

// close waits a moment for the lines in the queue. A handler that is stuck keeps the goroutine; nothing else can.
func (j *journal) close() {
	j.mu.Lock()
	j.shut = true
	close(j.queue)
	j.mu.Unlock()
	wait := time.NewTimer(notesTime)
	defer wait.Stop()
	select {
	case <-j.done:
	case <-wait.C:
	}
}
