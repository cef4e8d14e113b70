package lifecycle

import (
	"strings"
	"time"
)

// Status is how a group is at one moment: what the questions of a health check are answered with.
type Status struct {
	// State is "idle" before Run, "starting" until all parts have started, then "running", and "stopping" from the
	// first moment of the stop.
	State string `json:"state"`
	// Live is false if a part is [Dead] and the group is not stopping anyway: a restart would help. How long a start
	// takes does not matter to it; that has a limit of its own, see [WithStartTimeout].
	Live bool `json:"live"`
	// Ready is true if the group is running and no part is [Unready] or [Dead]: send traffic.
	Ready bool `json:"ready"`
	// Reason says why the group is not ready, or what is degraded, at most 200 bytes; empty if all is well.
	Reason string `json:"reason,omitempty"`
	// Parts are the parts that have a Health and those that are being started, in the order in which they were added.
	// Those that [Group.Add] has given up are not among them.
	Parts []PartStatus `json:"parts,omitempty"`
}

// PartStatus is the health of one part. A part is [Unready] until it has started; the reason is then its [Progress].
type PartStatus struct {
	Name string `json:"name"`

	Health
}

// Status asks the parts for their health and returns it with the state of the group. It waits for their answers for at
// most 100 ms; a part that has not answered counts as it did before, and after 10 s of silence as [Unready]. It may be
// called at any time and costs some microseconds.
func (g *Group) Status() Status {
	s, parts := g.vitals()
	var answers []<-chan struct{}
	for _, in := range parts {
		if in.part.Health != nil && in.hasStarted() {
			answers = append(answers, in.examine())
		}
	}
	wait(answers, answerTime)
	worst, now := Ready, time.Now()
	for _, in := range parts {
		h := Health{Condition: Unready, Reason: in.progressed()}
		if in.hasStarted() {
			h = in.diagnosis(now)
		}
		worst = max(worst, h.Condition)
		s.Parts = append(s.Parts, PartStatus{Name: in.part.Name, Health: h})
	}
	s.Live = worst < Dead || s.State == stateStopping
	s.Ready = worst < Unready && s.State == stateRunning
	if s.State == stateRunning {
		s.Reason = complaints(s.Parts)
	}
	return s
}

// The values of Status.State.
const (
	stateIdle     = "idle"
	stateStarting = "starting"
	stateRunning  = "running"
	stateStopping = "stopping"
)

// vitals returns the state of the group, and the parts whose health counts.
func (g *Group) vitals() (Status, []*instance) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var s Status
	switch {
	case g.state == stopping:
		s.State, s.Reason = stateStopping, clip(g.cause.text, maxReasonBytes)
	case g.state == idle:
		s.State, s.Reason = stateIdle, "not started"
	case happened(g.started):
		s.State = stateRunning
	default:
		s.State, s.Reason = stateStarting, clip("waits for "+g.awaitedLocked(), maxReasonBytes)
	}
	var parts []*instance
	for _, in := range g.parts {
		if in.givenUp {
			continue
		}
		if in.part.Health != nil || in.startBegun && !in.hasStarted() {
			parts = append(parts, in)
		}
	}
	return s, parts
}

// complaints names the parts that are not ready and why.
func complaints(parts []PartStatus) string {
	var list []string
	for _, p := range parts {
		if p.Condition == Ready {
			continue
		}
		text := p.Name + " is " + p.Condition.String()
		if p.Reason != "" {
			text += ": " + p.Reason
		}
		list = append(list, text)
	}
	return clip(strings.Join(list, "; "), maxReasonBytes)
}

// wait returns when all channels are closed, or after limit.
func wait(channels []<-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, c := range channels {
		select {
		case <-c:
		case <-timer.C:
			return
		}
	}
}
