package lifecycle

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	maxNotes       = 64
	notesTime      = 100 * time.Millisecond
	leastNotesTime = 5 * time.Millisecond
)

// journal hands log lines to a logger that may block: stderr can be a full pipe whose reader is frozen. Lines go
// through a bounded queue to a goroutine; what does not fit is dropped, and the stop never waits long for a line.
type journal struct {
	log   *slog.Logger
	queue chan note
	once  sync.Once
	mu    sync.Mutex
	shut  bool
}

// note is a line, or a mark to be reached.
type note struct {
	line slog.Record
	mark chan<- struct{}
}

func newJournal(log *slog.Logger) *journal {
	return &journal{log: log, queue: make(chan note, maxNotes)}
}

// open starts the goroutine. Lines that were added before wait in the queue.
func (j *journal) open() {
	j.once.Do(func() {
		go func() {
			for n := range j.queue {
				if n.mark != nil {
					close(n.mark)
					continue
				}
				_ = safely(func() error { return j.handle(n.line) }) // there is nowhere to report it
			}
		}()
	})
}

// handle calls the handler, all of whose methods may block.
func (j *journal) handle(line slog.Record) error {
	h, ctx := j.log.Handler(), context.Background()
	if !h.Enabled(ctx, line.Level) {
		return nil
	}
	return h.Handle(ctx, line)
}

// add queues a line or drops it.
func (j *journal) add(level slog.Level, msg string, attrs ...slog.Attr) {
	r := slog.NewRecord(time.Now(), level, msg, 0)
	r.AddAttrs(attrs...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.shut {
		return
	}
	select {
	case j.queue <- note{line: r}:
	default:
	}
}

// flush waits a moment, until end at most, for the lines in the queue: the stop report comes after them.
func (j *journal) flush(end time.Time) {
	wait := time.NewTimer(max(leastNotesTime, min(notesTime, time.Until(end))))
	defer wait.Stop()
	mark := make(chan struct{})
	select {
	case j.queue <- note{mark: mark}:
	case <-wait.C:
		return
	}
	select {
	case <-mark:
	case <-wait.C:
	}
}

// close ends the goroutine when it has handled the lines in the queue. A handler that is stuck keeps it; nothing else can.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.shut = true
	close(j.queue)
}
