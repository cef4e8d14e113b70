// Package console is what a development environment shows: steps with their
// times, and from the log only what asks for attention.
package console

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// slow is when a step that is still going on is announced.
const slow = 1500 * time.Millisecond

// Console prints to a terminal. It is safe for concurrent use.
type Console struct {
	mu    sync.Mutex
	out   io.Writer
	begun time.Time
}

// New returns a console whose clock starts now.
func New(out io.Writer) *Console { return &Console{out: out, begun: time.Now()} }

// Printf prints a line with the time since the start.
func (c *Console) Printf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintf(c.out, "%6.1fs  %s\n", time.Since(c.begun).Seconds(), fmt.Sprintf(format, args...))
}

// Step prints the name of something that has begun, once it turns out to be
// slow, and how long it took when the returned function is called without an
// error.
func (c *Console) Step(name string) (done func(error)) {
	begun := time.Now()
	timer := time.AfterFunc(slow, func() { c.Printf("%s ...", name) })
	return func(err error) {
		timer.Stop()
		if err == nil {
			c.Printf("%s (%.1f s)", name, time.Since(begun).Seconds())
		}
	}
}

// Handler returns a slog handler that writes every record to the log and the
// warnings, errors and stop reports among them to the console as well.
func (c *Console) Handler(log slog.Handler) slog.Handler { return &handler{next: log, console: c} }

type handler struct {
	next    slog.Handler
	console *Console
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{next: h.next.WithAttrs(attrs), console: h.console}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{next: h.next.WithGroup(name), console: h.console}
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	rec := read(r)
	switch {
	case rec.nested: // Its parent reports about it.
	case rec.child != "" && r.Message == "stop report":
		h.console.Printf("%s stopped: %s", rec.child, rec.outcome)
	case rec.child != "" && r.Level >= slog.LevelError, rec.child == "" && r.Level >= slog.LevelWarn:
		// What clients of a service did wrong is a warning there and stays in the log.
		h.console.Printf("%s: %s%s%s", r.Level, rec.prefix(), r.Message, rec.detail)
	}
	return h.next.Handle(ctx, r)
}

// record is what the console shows of a log record.
type record struct {
	child, detail, outcome string
	nested                 bool // A child of a child.
}

func (r record) prefix() string {
	if r.child == "" {
		return ""
	}
	return r.child + ": "
}

func read(r slog.Record) record {
	var rec record
	r.Attrs(func(a slog.Attr) bool {
		switch {
		case a.Key == "child" && a.Value.Kind() == slog.KindGroup:
			for _, member := range a.Value.Group() {
				switch member.Key {
				case "name":
					rec.child = member.Value.String()
				case "child":
					rec.nested = true
				}
			}
		case a.Key == "error", a.Key == "line", a.Key == "method":
			rec.detail += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		case a.Key == "outcome":
			rec.outcome = a.Value.String()
		}
		return true
	})
	return rec
}
