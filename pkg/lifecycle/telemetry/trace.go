package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// The names of the spans.
const (
	spanStop  = "process.stop"
	spanPhase = "process.stop.phase"
	spanPart  = "process.stop.part"
)

// The keys of attributes.
const (
	keyCause   = attribute.Key("lifecycle.cause")
	keyOutcome = attribute.Key("lifecycle.outcome")
	keyGrace   = attribute.Key("lifecycle.grace")
	keyWindow  = attribute.Key("lifecycle.window")
	keyPhase   = attribute.Key("lifecycle.phase")
	keyPart    = attribute.Key("lifecycle.part")
	keyBudget  = attribute.Key("lifecycle.budget")
	keyCarried = attribute.Key("lifecycle.carried")
	keyBefore  = attribute.Key("lifecycle.remaining.before")
	keyAfter   = attribute.Key("lifecycle.remaining.after")
	keyStuck   = attribute.Key("lifecycle.stuck")
	keySignal  = attribute.Key("lifecycle.signal")
	keyStack   = attribute.Key("code.stacktrace")
)

// record makes the spans of a stop, which r says of what has happened until now.
func record(ctx context.Context, tracer trace.Tracer, r lifecycle.Report, now time.Time) {
	if len(r.Phases) == 0 {
		return
	}
	ctx, root := tracer.Start(ctx, spanStop, trace.WithNewRoot(), trace.WithTimestamp(r.Began), trace.WithAttributes(
		keyCause.String(r.Cause), keyOutcome.String(string(soFar(r))),
		keyGrace.Float64(seconds(r.Grace)), keyWindow.Float64(seconds(r.Budget)),
	))
	for _, s := range r.Signals {
		root.AddEvent("signal", trace.WithTimestamp(r.Began.Add(time.Duration(s.After))), trace.WithAttributes(keySignal.String(s.Name)))
	}
	if bad(soFar(r)) {
		root.SetStatus(codes.Error, string(soFar(r)))
	}
	begin := r.Began
	for _, ph := range r.Phases {
		end := begin.Add(time.Duration(ph.Used))
		if ph.Outcome != lifecycle.Skipped {
			recordPhase(ctx, tracer, ph, begin, end)
		}
		begin = end
	}
	root.End(trace.WithTimestamp(now))
}

func recordPhase(ctx context.Context, tracer trace.Tracer, ph lifecycle.PhaseReport, begin, end time.Time) {
	ctx, span := tracer.Start(ctx, spanPhase, trace.WithTimestamp(begin), trace.WithAttributes(
		keyPhase.String(ph.Phase.String()), keyOutcome.String(string(ph.Outcome)),
		keyBudget.Float64(seconds(ph.Budget)), keyCarried.Float64(seconds(ph.Carried)),
	))
	if bad(ph.Outcome) {
		span.SetStatus(codes.Error, string(ph.Outcome))
	}
	for _, p := range ph.Parts {
		if p.Outcome != lifecycle.Skipped {
			recordPart(ctx, tracer, ph.Phase, p, begin)
		}
	}
	span.End(trace.WithTimestamp(end))
}

func recordPart(ctx context.Context, tracer trace.Tracer, ph lifecycle.Phase, p lifecycle.PartReport, begin time.Time) {
	_, span := tracer.Start(ctx, spanPart, trace.WithTimestamp(begin), trace.WithAttributes(
		keyPart.String(p.Name), keyPhase.String(ph.String()), keyOutcome.String(string(p.Outcome)), keyBudget.Float64(seconds(p.Budget)),
	))
	if p.RemainingBefore != nil {
		span.SetAttributes(keyBefore.Int64(*p.RemainingBefore))
	}
	if p.RemainingAfter != nil {
		span.SetAttributes(keyAfter.Int64(*p.RemainingAfter))
	}
	if len(p.Stuck) > 0 {
		span.SetAttributes(keyStuck.StringSlice(p.Stuck))
	}
	if p.Stack != "" {
		span.SetAttributes(keyStack.String(p.Stack))
	}
	if bad(p.Outcome) {
		span.SetStatus(codes.Error, p.Error)
	}
	span.End(trace.WithTimestamp(begin.Add(time.Duration(p.Used))))
}

// soFar is the outcome of a stop that is not over: the worst of the phases that are, the clean ones aside.
func soFar(r lifecycle.Report) lifecycle.Outcome {
	order := []lifecycle.Outcome{lifecycle.Abandoned, lifecycle.Forced, lifecycle.Failed}
	for _, outcome := range order {
		for _, ph := range r.Phases {
			for _, p := range ph.Parts {
				if p.Outcome == outcome {
					return outcome
				}
			}
		}
	}
	return lifecycle.Clean
}

// bad reports whether an outcome is one to look at.
func bad(o lifecycle.Outcome) bool {
	return o == lifecycle.Failed || o == lifecycle.Forced || o == lifecycle.Abandoned
}

func seconds(d lifecycle.Duration) float64 { return time.Duration(d).Seconds() }
