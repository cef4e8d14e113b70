package authztest

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// seen is what a server did with the calls of one method.
type seen struct {
	entered atomic.Int64 // handlers that were begun
	reached atomic.Int64 // handlers that have a request

	mu     sync.Mutex
	audits []map[string]string
}

// take returns what was seen since it was last asked.
func (s *seen) take() (entered, reached int64, audits []map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	audits, s.audits = s.audits, nil
	return s.entered.Swap(0), s.reached.Swap(0), audits
}

// log takes the log lines of the server and keeps those of the audit, by method.
type log struct {
	calls  map[string]*seen
	leaked atomic.Bool
}

// of is called before the server begins.
func (l *log) of(m protoreflect.MethodDescriptor) *seen {
	s := l.calls[path(m)]
	if s == nil {
		s = &seen{}
		l.calls[path(m)] = s
	}
	return s
}

func (l *log) logger() *slog.Logger { return slog.New(handler{l}) }

// handler is slog's side of log.
type handler struct{ *log }

// Enabled implements slog.Handler: every line may hold what it must not.
func (handler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h handler) Handle(_ context.Context, r slog.Record) error {
	attrs := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		return true
	})
	for v := range maps.Values(attrs) {
		if strings.Contains(v, "eyJ") {
			h.leaked.Store(true)
		}
	}
	if s := h.calls[attrs["method"]]; s != nil && r.Message == "audit" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.audits = append(s.audits, attrs)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h handler) WithGroup(string) slog.Handler { return h }
