package lifecycle

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Bounds of a report. A line of logs is cut by many collectors at 16 KiB, so that stacks must not fill it.
const (
	maxErrorBytes = 500
	maxStackBytes = 2048
	maxStuck      = 16
)

// Outcome says how a part, a phase or the whole stop ended.
type Outcome string

// The outcomes, from good to bad. A phase has the worst of its parts, the stop the worst of its phases.
const (
	Clean     Outcome = "clean"     // stopped in its time
	Skipped   Outcome = "skipped"   // never started, or not reached because of a third signal
	Failed    Outcome = "failed"    // returned in its time, with an error or with something remaining
	Forced    Outcome = "forced"    // had to be killed, or came back only after its time
	Abandoned Outcome = "abandoned" // did not even come back when it was killed
)

// Underway is the outcome of what a stop is still doing, in [Group.SoFar].
const Underway Outcome = "underway"

var severity = map[Outcome]int{Clean: 0, Skipped: 1, Failed: 2, Forced: 3, Abandoned: 4}

// Report says what a stop did. Its JSON is the line that a stop ends with.
type Report struct {
	Cause       string         `json:"cause"`     // why the stop began
	Outcome     Outcome        `json:"outcome"`   // the worst of all phases
	ExitCode    int            `json:"exit_code"` // what ExitCode says of the error of Run
	Error       string         `json:"error,omitempty"`
	Began       time.Time      `json:"began"` // T0
	Signals     []SignalReport `json:"signals,omitempty"`
	Grace       Duration       `json:"grace_ms"`
	PreStop     Duration       `json:"pre_stop_ms"`
	Propagation Duration       `json:"propagation_ms"`
	Reserve     Duration       `json:"reserve_ms"`
	Budget      Duration       `json:"budget_ms"` // grace - pre-stop - reserve
	Used        Duration       `json:"used_ms"`
	Predicted   *Duration      `json:"predicted_ms,omitempty"` // what Predict said last, if it had a sample
	Phases      []PhaseReport  `json:"phases"`                 // all six, in their order
}

// SignalReport is one signal of a stop.
type SignalReport struct {
	Name  string   `json:"name"`
	After Duration `json:"after_ms"` // since T0
}

// PhaseReport says what a phase did. Budget is the time to its deadline when it was entered; Carried is what it left
// for the phases behind it. A second signal can shorten a budget.
type PhaseReport struct {
	Phase   Phase        `json:"phase"`
	Outcome Outcome      `json:"outcome"`
	Budget  Duration     `json:"budget_ms"`
	Used    Duration     `json:"used_ms"`
	Carried Duration     `json:"carried_ms"`
	Parts   []PartReport `json:"parts,omitempty"`
}

// PartReport says what a part did. Carried is what it left of the budget, also if a slower part of its phase used that up.
// The pointers are nil if the part did not say.
type PartReport struct {
	Name            string    `json:"name"`
	Outcome         Outcome   `json:"outcome"`
	Budget          Duration  `json:"budget_ms"`
	Used            Duration  `json:"used_ms"`
	Carried         Duration  `json:"carried_ms"`
	Estimate        *Duration `json:"estimate_ms,omitempty"`
	RemainingBefore *int64    `json:"remaining_before,omitempty"`
	RemainingAfter  *int64    `json:"remaining_after,omitempty"`
	Error           string    `json:"error,omitempty"`
	Stuck           []string  `json:"stuck,omitempty"`
	Stack           string    `json:"stack,omitempty"` // of an abandoned part, or of a panic

	err error
}

func skippedPhase(ph Phase, parts []*instance) PhaseReport {
	r := PhaseReport{Phase: ph, Outcome: Skipped}
	for _, in := range parts {
		r.Parts = append(r.Parts, PartReport{Name: in.part.Name, Outcome: Skipped})
	}
	return r
}

// worst is the outcome of a phase with these parts. Parts that never started don't count.
func worst(parts []PartReport) Outcome {
	w := Clean
	for _, p := range parts {
		if p.Outcome != Skipped && severity[p.Outcome] > severity[w] {
			w = p.Outcome
		}
	}
	return w
}

// conclude fills in the outcome and returns the error of Run: failure is the cause of the stop if that was an error.
func (r *Report) conclude(failure error, third bool) error {
	var errs []error
	if failure != nil {
		errs = append(errs, failure)
	}
	if third {
		errs = append(errs, ErrThirdSignal)
	}
	r.Outcome = Clean
	for _, ph := range r.Phases {
		if severity[ph.Outcome] > severity[r.Outcome] {
			r.Outcome = ph.Outcome
		}
		for _, p := range ph.Parts {
			if p.err != nil {
				errs = append(errs, fmt.Errorf("%v: %w", ph.Phase, p.err))
			}
		}
	}
	if len(errs) == 0 {
		return nil
	}
	err := &StopError{errs: errs}
	r.Error = clip(err.Error(), maxErrorBytes)
	r.ExitCode = ExitCode(err)
	return err
}

// asStack returns the stack that an error carries.
func asStack(err error) (string, bool) {
	var carrier interface{ Stack() string }
	if errors.As(err, &carrier) {
		return carrier.Stack(), true
	}
	return "", false
}

// clip shortens s to at most n bytes without cutting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "..."
	end := n - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
