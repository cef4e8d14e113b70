package supervisor

import (
	"fmt"
	"time"
)

// watch finds children that hang. It counts ticks of one interval instead of
// reading a clock: when the parent itself was stopped for a while, only one tick
// is due afterwards, and nobody is blamed for the pause.
type watch struct {
	interval time.Duration
	// silent and stalled are the ticks after which a child hangs.
	silent, stalled int
	// oldest is the age of a unit at which a child hangs; 0 is never.
	oldest time.Duration

	heard         bool
	vitals        vitals
	silence, stay int
}

// newWatch returns a watch with the times of a spec, that is ticked every
// [Spec.Heartbeat].
func newWatch(spec *Spec) *watch {
	ticks := func(d time.Duration) int { return max(1, int((d+spec.Heartbeat-1)/spec.Heartbeat)) }
	w := &watch{interval: spec.Heartbeat, silent: ticks(spec.HeartbeatTimeout) + 1, oldest: spec.OldestTimeout, heard: true}
	if spec.ProgressTimeout >= 0 {
		w.stalled = ticks(spec.ProgressTimeout) + 1
	}
	return w
}

// hear records a heartbeat.
func (w *watch) hear(v vitals) {
	if v.inFlight == 0 || v.progress != w.vitals.progress {
		w.stay = 0
	}
	w.heard, w.vitals = true, v
}

// tick returns an error that wraps [ErrUnresponsive] or [ErrStalled] if the
// child hangs.
func (w *watch) tick() error {
	if w.heard {
		w.silence = 0
	} else {
		w.silence++
	}
	w.heard = false
	if w.silence >= w.silent {
		return fmt.Errorf("%w: none for %v", ErrUnresponsive, time.Duration(w.silence)*w.interval)
	}
	// A silent child is no witness of its own progress.
	if w.silence == 0 && w.vitals.inFlight > 0 {
		w.stay++
		if w.oldest > 0 && w.vitals.oldest >= w.oldest {
			return fmt.Errorf("%w: the oldest of %d in flight for %v, counter at %d", ErrStalled,
				w.vitals.inFlight, w.vitals.oldest, w.vitals.progress)
		}
	}
	if w.stalled > 0 && w.stay >= w.stalled {
		return fmt.Errorf("%w: %d in flight, counter at %d for %v", ErrStalled,
			w.vitals.inFlight, w.vitals.progress, time.Duration(w.stay)*w.interval)
	}
	return nil
}
