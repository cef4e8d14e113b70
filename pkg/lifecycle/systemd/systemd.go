package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	// lookTime is how often the group is looked at for a new status, and in a stop for progress.
	lookTime = time.Second
	// extendTime is how long the service manager waits after a stop has made progress. What remains should become less
	// at least that often.
	extendTime = 10 * time.Second
	// maxStatus bounds the text of a status.
	maxStatus = 300
)

// Notifier tells the service manager of a group. All methods may be called on nil, and do nothing then.
type Notifier struct {
	g        *lifecycle.Group
	send     func(message string) error
	watchdog time.Duration
	quit     chan struct{}
	done     chan struct{}
}

// Add adds the notifications to g. It returns nil and adds nothing where no service manager listens (NOTIFY_SOCKET is
// not set). It removes the variables of the protocol from the environment, so call it before children are started.
//
//	start       READY=1 when all parts have started. Not when the group is ready for traffic, which can depend on others:
//	            a service manager kills what does not become ready
//	announce    STOPPING=1
//	always      STATUS in words when it changes; WATCHDOG=1 at half of the interval, while no part is lifecycle.Dead and
//	            the group answers at all
//	stop        EXTEND_TIMEOUT_USEC, 10 s from now or the end of the grace if that comes first, whenever what the phase
//	            waits for has become less than ever before
//
// A READY=1 that can't be sent is an error of the start; nothing else depends on whether the manager listens.
func Add(g *lifecycle.Group) (*Notifier, error) {
	if g == nil {
		return nil, errors.New("systemd: the group is required")
	}
	env, err := takeEnvironment()
	if err != nil || env.socket == "" {
		return nil, err
	}
	n := &Notifier{
		g: g, watchdog: env.watchdog, send: func(m string) error { return send(env.socket, m) },
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	return n, n.add()
}

func (n *Notifier) add() error {
	for _, p := range []lifecycle.Part{
		{Name: "systemd/watchdog", Phase: lifecycle.Close, Start: n.start, Stop: n.stop},
		{Name: "systemd", Phase: lifecycle.Announce, Start: n.ready, Stop: n.stopping},
	} {
		if err := n.g.Add(p); err != nil {
			return fmt.Errorf("systemd: %w", err)
		}
	}
	return nil
}

func (n *Notifier) ready(context.Context) error { return n.send("READY=1") }

func (n *Notifier) stopping(context.Context) error {
	_ = n.send("STOPPING=1") // the stop goes on, whoever listens
	return nil
}

func (n *Notifier) start(context.Context) error {
	go n.run()
	return nil
}

func (n *Notifier) stop(context.Context) error {
	close(n.quit)
	<-n.done // within sendTime, unless the group does not answer
	return nil
}

// Finished tells how the stop ended; call it when [lifecycle.Group.Run] has returned.
func (n *Notifier) Finished(r lifecycle.Report) {
	if n == nil {
		return
	}
	text := fmt.Sprintf("stopped %s in %v", r.Outcome, time.Duration(r.Used).Round(time.Millisecond))
	if r.Error != "" {
		text += ": " + r.Error
	}
	_ = n.send("STATUS=" + line(text)) // there is nobody left to tell
}

// run looks at the group until the last phase of the stop.
func (n *Notifier) run() {
	defer close(n.done)
	look := time.NewTicker(lookTime)
	defer look.Stop()
	var beat <-chan time.Time // never, without a watchdog
	if n.watchdog > 0 {
		t := time.NewTicker(max(n.watchdog/2, time.Millisecond))
		defer t.Stop()
		beat = t.C
		n.alive()
	}
	var told string
	var past progress
	for {
		select {
		case <-n.quit:
			return
		case <-beat:
			n.alive()
		case <-look.C:
			if text := n.describe(); text != told && n.send("STATUS="+text) == nil {
				told = text
			}
			if past.made(n.g.Left()) {
				n.extend()
			}
		}
	}
}

// alive sends the sign of life. A group that hangs does not answer, and the manager hears nothing.
func (n *Notifier) alive() {
	if n.g.Status().Live {
		_ = n.send("WATCHDOG=1") // the next one comes soon enough
	}
}

// extend asks for more time, but not for more than the group takes itself.
func (n *Notifier) extend() {
	left := min(extendTime, n.g.Remaining()+n.g.Plan().Reserve)
	if left > 0 {
		_ = n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", left.Microseconds())) // likewise
	}
}

// describe says in a line what the group does.
func (n *Notifier) describe() string {
	s := n.g.Status()
	switch {
	case s.State == "stopping":
		ph, left := n.g.Left()
		text := "stopping: " + s.Reason
		if ph != 0 {
			text = fmt.Sprintf("%s; %v", text, ph)
		}
		if left > 0 {
			text = fmt.Sprintf("%s, %d remaining", text, left)
		}
		return line(fmt.Sprintf("%s, %v until the deadline", text, n.g.Remaining().Round(time.Second)))
	case s.Ready && s.Reason == "":
		return "ready"
	case s.Ready:
		return line("ready; " + s.Reason)
	case s.State == "running":
		return line("not ready; " + s.Reason)
	default:
		return line(s.State + ": " + s.Reason)
	}
}

// line makes text one line of the protocol.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), maxStatus)], "")
}

// progress is how far a stop has come.
type progress struct {
	phase lifecycle.Phase
	least int64
}

// made reports whether less remains in the phase than ever before.
func (p *progress) made(ph lifecycle.Phase, left int64) bool {
	switch {
	case ph == 0:
		return false
	case ph > p.phase: // which may only mean that the deadline of the phase before has passed
		p.phase, p.least = ph, left
		return false
	case left < p.least:
		p.least = left
		return true
	default:
		return false
	}
}
