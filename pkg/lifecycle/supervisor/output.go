package supervisor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// childKey is the attribute group that names the child a line came from.
	childKey = "child"
	// tailBytes is what is kept of stderr for Exit.Stderr.
	tailBytes = 64 << 10
	// stackBytes is what is kept of stderr after SIGQUIT for Exit.Stacks.
	stackBytes = 256 << 10
	// outputLinger is how long a pipe may be empty and open after the process
	// group has gone: a process that left the group may hold it.
	outputLinger = 500 * time.Millisecond
	// outputStall is how long the log may take for one line then, outputEnd for
	// all that is left, which is what fits into the pipes.
	outputStall = time.Second
	outputEnd   = 5 * time.Second
	// outputLook is how often that is looked at. Both are counted in looks: of a
	// pause of this process only one is due afterwards.
	outputLook = 10 * time.Millisecond
	// floodNotice is how often dropped lines are reported.
	floodNotice = time.Second
)

// output turns what one generation of a child writes into log records, and
// keeps the end of its stderr.
type output struct {
	log   *slog.Logger
	child []any

	mu       sync.Mutex
	flood    *flood
	noticed  time.Time
	tail     tail
	stacks   head
	captures bool

	readers sync.WaitGroup
	pipes   []*pipe
}

func newOutput(log *slog.Logger, child ...any) *output {
	return &output{
		log:    log,
		child:  child,
		flood:  newFlood(floodRate, floodBurst),
		tail:   tail{limit: tailBytes},
		stacks: head{limit: stackBytes},
	}
}

// follow reads a pipe until finish. The output owns the pipe.
func (o *output) follow(stream string, file *os.File) {
	p := &pipe{File: file}
	o.pipes = append(o.pipes, p)
	o.readers.Go(func() {
		var r io.Reader = p
		if stream == "stderr" {
			r = io.TeeReader(p, (*stderrTail)(o))
		}
		defer p.leave()
		err := splitLines(r, func(line []byte, more bool) {
			o.line(stream, line, more)
			p.enter(false) // one Read brings many lines
		})
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			o.log.Warn("child output can't be read", "stream", stream, "error", err)
		}
	})
}

// finish reads what is left after the child has gone and closes the pipes. It
// gives up on a log handler that blocks: the stop must not wait for it.
func (o *output) finish() {
	read := make(chan struct{})
	go func() {
		defer close(read)
		o.readers.Wait()
		o.notice(true)
	}()
	end := time.After(outputEnd)
	tick := time.NewTicker(outputLook)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-read:
			waiting = false
		case <-end:
			waiting = false
		case <-tick.C:
			waiting = !o.stalled()
		}
	}
	for _, p := range o.pipes {
		_ = p.Close()
	}
}

// stalled ends the reading of pipes that somebody else holds, and tells whether
// the log takes nothing.
func (o *output) stalled() bool {
	busy, blocked := 0, 0
	for _, p := range o.pipes {
		reading, empty, stood := p.look()
		switch {
		case !reading:
		case empty && stood > outputLinger:
			_ = p.SetReadDeadline(time.Now())
		case !empty:
			busy++
			if stood > outputStall {
				blocked++
			}
		}
	}
	return busy > 0 && blocked == busy
}

// pipe knows whether its reader waits for it, or it waits for its reader.
type pipe struct {
	*os.File

	mu    sync.Mutex
	over  bool          // nobody reads any more
	empty bool          // a Read is under way, which returns at once if there is anything
	stood time.Duration // by looks, since something was read, or a line of it was logged
}

// Read notes when it began and when it returned.
func (p *pipe) Read(b []byte) (int, error) {
	p.enter(true)
	n, err := p.File.Read(b)
	p.enter(false)
	return n, err
}

func (p *pipe) enter(empty bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty, p.stood = empty, 0
}

// leave notes that nobody reads any more.
func (p *pipe) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// look is called once in outputLook.
func (p *pipe) look() (reading, empty bool, stood time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stood += outputLook
	return !p.over, p.empty, p.stood
}

// capture makes everything that follows on stderr part of the stacks instead
// of the log.
func (o *output) capture() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.captures = true
}

// kept returns the end of stderr and the captured stacks.
func (o *output) kept() (stderr, stacks string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tail.String(), string(o.stacks.buf)
}

// stderrTail is the io.Writer that sees stderr before it is split.
type stderrTail output

// Write never fails.
func (t *stderrTail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.captures {
		_, _ = t.stacks.Write(p)
	}
	return t.tail.Write(p)
}

func (o *output) line(stream string, line []byte, more bool) {
	now := time.Now()
	o.mu.Lock()
	if o.captures && stream == "stderr" {
		o.mu.Unlock()
		return
	}
	admitted := o.flood.admit(len(line), now)
	o.mu.Unlock()
	if admitted {
		o.emit(stream, line, more, now)
	}
	o.notice(false)
}

// notice reports what was dropped, at most once in floodNotice or at the end.
func (o *output) notice(end bool) {
	now := time.Now()
	o.mu.Lock()
	var lines, bytes int64
	if end || now.Sub(o.noticed) >= floodNotice {
		if lines, bytes = o.flood.take(); lines > 0 {
			o.noticed = now
		}
	}
	o.mu.Unlock()
	if lines > 0 {
		o.log.Warn("child output dropped, too much of it", "lines", lines, "bytes", bytes, slog.Group(childKey, o.child...))
	}
}

func (o *output) emit(stream string, line []byte, more bool, now time.Time) {
	record, inner, err := parseRecord(line, now)
	child := o.child
	switch {
	case err != nil || more:
		record = slog.NewRecord(now, slog.LevelInfo, "child output", 0)
		record.AddAttrs(slog.String("stream", stream), slog.String("line", string(line)))
		if more {
			record.AddAttrs(slog.Bool("continued", true))
		}
	case inner.Key != "":
		child = append(append([]any(nil), child...), inner)
	}
	record.AddAttrs(slog.Group(childKey, child...))
	ctx := context.Background()
	if handler := o.log.Handler(); handler.Enabled(ctx, record.Level) {
		_ = handler.Handle(ctx, record)
	}
}
