package otlp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
)

// Handler returns a handler that sends records to the collector as well as to local, from the level of local on. A record
// that is logged within a span names it. Records wait in a bounded buffer, whose oldest are dropped, and never delay who logs.
func (t *Telemetry) Handler(local slog.Handler) slog.Handler {
	if t == nil || t.logs == nil {
		return local
	}
	return &both{local: local, remote: otelslog.NewHandler("github.com/curfew-platform/curfew", otelslog.WithLoggerProvider(t.logs))}
}

// both writes a record to two handlers. The first decides about levels.
type both struct{ local, remote slog.Handler }

func (b *both) Enabled(ctx context.Context, level slog.Level) bool {
	return b.local.Enabled(ctx, level)
}

func (b *both) Handle(ctx context.Context, r slog.Record) error {
	err := b.local.Handle(ctx, r)
	plain := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		plain.AddAttrs(asWritten(a))
		return true
	})
	if remote := b.remote.Handle(ctx, plain); err == nil {
		err = remote
	}
	return err
}

func (b *both) WithAttrs(attrs []slog.Attr) slog.Handler {
	plain := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		plain[i] = asWritten(a)
	}
	return &both{local: b.local.WithAttrs(attrs), remote: b.remote.WithAttrs(plain)}
}

func (b *both) WithGroup(name string) slog.Handler {
	return &both{local: b.local.WithGroup(name), remote: b.remote.WithGroup(name)}
}

// asWritten makes of a value what the lines of the local log say of it. The bridge would look into a value by reflection,
// and find what its own methods hide.
func asWritten(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		group := v.Group()
		plain := make([]slog.Attr, len(group))
		for i, inner := range group {
			plain[i] = asWritten(inner)
		}
		v = slog.GroupValue(plain...)
	case slog.KindAny:
		v = slog.StringValue(text(v.Any()))
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// text follows slog.JSONHandler.
func text(v any) string {
	_, marshals := v.(json.Marshaler)
	if err, ok := v.(error); ok && !marshals {
		return err.Error()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("!ERROR:%v", err)
	}
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(b)
}
