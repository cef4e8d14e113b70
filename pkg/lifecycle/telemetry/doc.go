// Package telemetry tells OpenTelemetry what a [lifecycle.Group] does, and lets the providers of its SDK go last.
//
// # The trace of a stop
//
// One trace is made of the stop, with one span for each phase that was entered and below it one for each part, with the
// times of the report. Spans of what did not end clean have the status Error and its message.
//
//	process.stop                 lifecycle.cause, lifecycle.outcome, lifecycle.grace, lifecycle.window [s]; signals are events
//	process.stop.phase           lifecycle.phase, lifecycle.outcome, lifecycle.budget, lifecycle.carried [s]
//	process.stop.part            lifecycle.part, lifecycle.phase, lifecycle.outcome, lifecycle.budget [s],
//	                             lifecycle.remaining.before and .after, lifecycle.stuck, code.stacktrace
//
// It is flushed before its exporter closes, which is the last thing of phase Close: the span of that phase, and what had
// not ended then, have the outcome "underway".
//
// # Metrics
//
//	lifecycle.stop.duration        histogram, s        lifecycle.outcome
//	lifecycle.stop.phase.duration  histogram, s        lifecycle.phase, lifecycle.outcome
//	lifecycle.stop.part.duration   histogram, s        lifecycle.part, lifecycle.phase, lifecycle.outcome
//	lifecycle.stop.part.left       gauge, {item}       lifecycle.part, lifecycle.phase: what remained after its stop
//	lifecycle.stop.window          gauge, s            grace - pre-stop - reserve
//	lifecycle.prediction.now       gauge, s            how long a stop would take, see lifecycle.Group.Predict
//	lifecycle.prediction.p50       gauge, s            its median over the last five minutes
//	lifecycle.prediction.p99       gauge, s            alert when it passes lifecycle.stop.window
//	lifecycle.part.remaining       gauge, {item}       lifecycle.part, lifecycle.phase
//	lifecycle.part.rate            gauge, {item}/s     lifecycle.part, lifecycle.phase: completed while there was work
//	lifecycle.part.need            gauge, s            lifecycle.part, lifecycle.phase: how long its stop would take
//
// Outcomes are those of lifecycle.Outcome, phases and parts have the names of the report. The gauges of predictions and
// of parts appear with the first prediction, one second after the start.
package telemetry
