package lifecycle

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Condition is how well a part does its job.
type Condition int

// The conditions, from good to bad. A group has the worst of its parts.
const (
	// Ready does its job.
	Ready Condition = iota
	// Degraded does its job worse than it should, and still better than nobody: traffic goes on to it. What all
	// replicas share, such as a database that is down, makes them degraded and not unready: taking all of them away
	// helps nobody.
	Degraded
	// Unready can't do its job now: traffic should go elsewhere until it can. A restart would not help.
	Unready
	// Dead will never do its job again in this process: a restart would help.
	Dead
)

var conditionNames = [...]string{"ready", "degraded", "unready", "dead"}

// String returns the name, for example "degraded".
func (c Condition) String() string {
	if c < Ready || c > Dead {
		return fmt.Sprintf("condition(%d)", int(c))
	}
	return conditionNames[c]
}

// MarshalText writes the name.
func (c Condition) MarshalText() ([]byte, error) {
	if c < Ready || c > Dead {
		return nil, fmt.Errorf("lifecycle: no such condition: %d", int(c))
	}
	return []byte(c.String()), nil
}

// UnmarshalText reads a name written by [Condition.MarshalText].
func (c *Condition) UnmarshalText(text []byte) error {
	for i, name := range conditionNames {
		if name == string(text) {
			*c = Condition(i)
			return nil
		}
	}
	return fmt.Errorf("lifecycle: no such condition: %.40q", text)
}

// Health is what a part says of itself. The zero value is ready.
type Health struct {
	Condition Condition `json:"condition"`
	// Reason is for whoever has to find out what is wrong, one line of at most 200 bytes. It is logged, so it holds no
	// secret.
	Reason string `json:"reason,omitempty"`
}

const (
	maxReasonBytes = 200

	// answerTime is how long [Group.Status] waits for the Health of parts. What a part said before counts until it
	// answers, or has been silent for silenceTime.
	answerTime  = 100 * time.Millisecond
	silenceTime = 10 * time.Second
)

// examination is what is known of the health of a part. It is guarded by instance.mu.
type examination struct {
	answered chan struct{} // closed by the answer to the open question, nil if there is none
	asked    time.Time     // when the open question was asked
	known    bool          // there was an answer
	last     Health
}

// examine asks the part for its health, unless a question is open, and returns what is closed by the answer.
func (in *instance) examine() <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	x := &in.health
	if x.answered != nil {
		return x.answered
	}
	answered := make(chan struct{})
	x.answered, x.asked = answered, time.Now()
	var h Health
	go guard(func() error { h = in.part.Health(); return nil }, func(err error) {
		if err != nil {
			h = Health{Condition: Unready, Reason: err.Error()}
		}
		in.diagnose(h)
		close(answered)
	})
	return answered
}

// diagnose notes an answer, and logs it if the condition has changed.
func (in *instance) diagnose(h Health) {
	h.Condition = min(max(h.Condition, Ready), Dead)
	h.Reason = clip(strings.Join(strings.Fields(h.Reason), " "), maxReasonBytes) // one line
	in.mu.Lock()
	x := &in.health
	changed := h.Condition != x.last.Condition
	x.answered, x.known, x.last = nil, true, h
	in.mu.Unlock()
	if changed {
		level := slog.LevelWarn
		if h.Condition == Ready {
			level = slog.LevelInfo
		}
		in.g.notes.add(level, "health changed", slog.String("part", in.part.Name),
			slog.String("condition", h.Condition.String()), slog.String("reason", h.Reason))
	}
}

// diagnosis is the last answer, or what its absence means.
func (in *instance) diagnosis(now time.Time) Health {
	in.mu.Lock()
	defer in.mu.Unlock()
	x := &in.health
	silent := x.answered != nil && now.Sub(x.asked) >= silenceTime
	switch {
	case in.part.Health == nil:
		return Health{} // it has started while others were asked
	case x.asked.IsZero():
		return Health{Condition: Unready, Reason: "not started"} // likewise
	case silent, !x.known:
		return Health{Condition: Unready, Reason: fmt.Sprintf("no answer for %v", now.Sub(x.asked).Round(time.Millisecond))}
	default:
		return x.last
	}
}
