package lifecycle

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"
)

// Option configures a [Group].
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	plan        Plan
	log         *slog.Logger
	report      io.Writer
	table       bool
	termination string
	signals     []os.Signal
	hangUp      bool

	startTimeout time.Duration

	err error // the first option that made no sense
}

// refusef keeps the first option that makes no sense.
func (c *config) refusef(format string, args ...any) {
	if c.err == nil {
		c.err = &UsageError{Err: fmt.Errorf("lifecycle: "+format, args...)}
	}
}

func newConfig(opts []Option) config {
	c := config{
		plan:    Plan{Grace: defaultGrace, Reserve: defaultReserve, Budgets: defaultBudgets()},
		log:     slog.New(slog.DiscardHandler),
		report:  os.Stderr,
		signals: []os.Signal{syscall.SIGTERM, os.Interrupt},

		startTimeout: defaultStartTimeout,
	}
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	// The wait for propagation is a promise like any floor: a plan that has no room for it is refused.
	announce := &c.plan.Budgets[Announce-1]
	wait := c.plan.announceWait()
	announce.Min = max(announce.Min, wait)
	if announce.Max > 0 {
		announce.Max = max(announce.Max, wait)
	}
	return c
}

// WithGrace sets the time between the first signal and SIGKILL: the same value as terminationGracePeriodSeconds in
// Kubernetes or TimeoutStopSec under systemd. The default is 30 s. A value above the platform's means that the platform
// kills a stop that believes it has time left.
func WithGrace(d time.Duration) Option { return optionFunc(func(c *config) { c.plan.Grace = d }) }

// WithPreStop says how long a preStop hook sleeps before the platform sends the first signal; that time is part of
// the grace. The default is 0.
func WithPreStop(d time.Duration) Option { return optionFunc(func(c *config) { c.plan.PreStop = d }) }

// WithPropagation says how long it takes until nobody sends new work to a process that is not ready: the endpoint
// change in Kubernetes, the health interval of a balancer. Announce waits max(0, propagation - pre-stop), as long as
// the group had started. The default is 0, right for development; a few seconds are usual in a cluster.
func WithPropagation(d time.Duration) Option {
	return optionFunc(func(c *config) { c.plan.Propagation = d })
}

// WithReserve keeps time for the latency of the signal, for killing parts and for writing the report. The default of 2 s
// lets a part overrun in every phase; a smaller one shortens the 250 ms between Kill and abandonment, and one below 50 ms is
// no reserve at all: the stop may then end that much too late.
func WithReserve(d time.Duration) Option { return optionFunc(func(c *config) { c.plan.Reserve = d }) }

// defaultStartTimeout is long for a process that opens what it needs, and short enough for a person who waits.
const defaultStartTimeout = time.Minute

// WithStartTimeout limits how long all parts together may take to start, and a part that is added later. Beyond it the
// start fails with [ErrStartTimeout], and what had started is stopped as in any stop. The default is 1 minute; who
// migrates a large database in a Start wants more. It must be more than 0, at most 7 days.
func WithStartTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 || d > maxGrace {
			c.refusef("the start timeout is %v, it must be more than 0 and at most %v", d, maxGrace)
			return
		}
		c.startTimeout = d
	})
}

// WithBudget sets the floor and the maximum of a phase; a maximum of 0 means no limit but the floors of the others.
func WithBudget(ph Phase, floor, limit time.Duration) Option {
	return optionFunc(func(c *config) {
		if !ph.valid() {
			c.refusef("budget for a phase that does not exist: %d", int(ph))
			return
		}
		c.plan.Budgets[ph-1] = Budget{Min: floor, Max: limit}
	})
}

// WithLogger sets where the progress of start and stop is logged. The default is nowhere; the stop report is written in
// any case. A handler that blocks never delays the stop by more than a moment: lines that it does not take are dropped.
func WithLogger(log *slog.Logger) Option {
	return optionFunc(func(c *config) {
		if log != nil {
			c.log = log
		}
	})
}

// WithReportWriter sets where the stop report is written: one JSON line. The default is [os.Stderr]; nil writes none.
// A writer that blocks is given up after 300 ms.
func WithReportWriter(w io.Writer) Option { return optionFunc(func(c *config) { c.report = w }) }

// WithTable writes the readable table above the JSON line even if the report writer is no terminal.
func WithTable() Option { return optionFunc(func(c *config) { c.table = true }) }

// WithTerminationMessage writes the report, shortened to 4 KiB, to a file as well, for `kubectl describe pod`; in
// Kubernetes the path is /dev/termination-log. The default is no file.
func WithTerminationMessage(path string) Option {
	return optionFunc(func(c *config) { c.termination = path })
}

// WithSignals sets the signals that begin the stop. The default is SIGTERM and SIGINT.
func WithSignals(signals ...os.Signal) Option {
	return optionFunc(func(c *config) { c.signals = append([]os.Signal(nil), signals...) })
}

// WithHangUp is for a service, which is more than a step in a pipeline: a terminal that closes (SIGHUP) begins the stop
// as the other signals do, unless the process was told to ignore it (nohup), and an output that nobody reads any more
// (SIGPIPE) ends nothing, from Run on and for good. By default both end a Go program in the middle of what it does.
func WithHangUp() Option { return optionFunc(func(c *config) { c.hangUp = true }) }

// WithoutSignals leaves the signals of the process alone: the stop begins by [Group.Shutdown], [Group.Signal], a
// failure, or the end of the context of [Group.Run].
func WithoutSignals() Option { return optionFunc(func(c *config) { c.signals = nil }) }
