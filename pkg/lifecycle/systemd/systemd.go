package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
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
	// readyTries is how often READY=1 is tried, each for up to sendTime: a service manager that starts a whole machine can
	// be slow to read.
	readyTries = 20
)

// Notifier tells the service manager of a group. All methods may be called on nil, and do nothing then.
type Notifier struct {
	g        *lifecycle.Group
	send     func(message string) error
	watchdog time.Duration
	quit     chan struct{}
	done     chan struct{}

	turn sync.Mutex // held while READY=1 or STOPPING=1 is sent, so that they come in this order
}

// Add adds the notifications to g. It returns nil and adds nothing where no service manager listens (NOTIFY_SOCKET is
// not set). It removes the variables of the protocol from the environment, so call it before children are started.
//
//	started     READY=1 when all parts have started. Not when the group is ready for traffic, which can depend on others:
//	            a service manager kills what does not become ready
//	announce    STOPPING=1
//	always      STATUS in words when it changes; WATCHDOG=1 at half of the interval, while no part is lifecycle.Dead and
//	            the group answers at all
//	stop        EXTEND_TIMEOUT_USEC, 10 s from now or the end of the grace if that comes first, whenever what the phase
//	            waits for has become less than ever before
//
// A READY=1 that can't be sent, for 10 s if the manager does not read, stops the group with an error; nothing else depends
// on whether the manager listens.
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
		{Name: "systemd", Phase: lifecycle.Announce, Stop: n.stopping},
	} {
		if err := n.g.Add(p); err != nil {
			return fmt.Errorf("systemd: %w", err)
		}
	}
	return nil
}

// ready says so, unless the stop has begun since.
func (n *Notifier) ready() {
	var err error
	for range readyTries {
		if err = n.tellReady(); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	if err != nil {
		n.g.Shutdown(fmt.Errorf("systemd: %w", err)) // the manager would kill the process in the middle of its work
	}
}

func (n *Notifier) tellReady() error {
	n.turn.Lock()
	defer n.turn.Unlock()
	select {
	case <-n.g.Stopping():
		return nil
	default:
		return n.send("READY=1")
	}
}

func (n *Notifier) stopping(context.Context) error {
	n.turn.Lock()
	defer n.turn.Unlock()
	_ = n.send("STOPPING=1") // the stop goes on, whoever listens
	return nil
}

func (n *Notifier) start(context.Context) error {
	go n.run()
	return nil
}

func (n *Notifier) stop(context.Context) error {
	close(n.quit)
	<-n.done // within sendTime and the 100 ms of a Status
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
	started := n.g.Started()
	var told string
	tell := func(now left) {
		if text := n.describe(now); text != told && n.send("STATUS="+text) == nil {
			told = text
		}
	}
	var past progress
	var answer <-chan left // nil if no question is open
	for {
		select {
		case <-n.quit:
			return
		case <-started:
			started = nil
			n.ready()
		case <-beat:
			n.alive()
		case <-look.C:
			if answer == nil {
				answer = n.ask()
			} else {
				tell(left{}) // no answer since the last look: no progress either
			}
		case now := <-answer:
			answer = nil
			tell(now)
			if past.made(now) {
				n.extend()
			}
		}
	}
}

// left is what the phase that the stop is in waits for, 0 if that is not known.
type left struct {
	phase lifecycle.Phase
	n     int64
}

// ask asks what is left, in a goroutine that ends with the answer: that of a part can take as long as it likes, while the
// manager wants its signs of life. Nobody has to wait for it.
func (n *Notifier) ask() <-chan left {
	answer := make(chan left, 1)
	go func() {
		ph, rest := n.g.Left()
		answer <- left{ph, rest}
	}()
	return answer
}

// alive sends the sign of life. A group that hangs does not answer, and the manager hears nothing.
func (n *Notifier) alive() {
	if n.g.Status().Live {
		_ = n.send("WATCHDOG=1") // the next one comes soon enough
	}
}

// extend asks for more time, but not for more than the group takes itself.
func (n *Notifier) extend() {
	more := min(extendTime, n.g.Remaining()+n.g.Plan().Reserve)
	if more > 0 {
		_ = n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", more.Microseconds())) // likewise
	}
}

// describe says in a line what the group does.
func (n *Notifier) describe(now left) string {
	s := n.g.Status()
	switch {
	case s.State == "stopping":
		text := "stopping: " + s.Reason
		if now.phase != 0 {
			text = fmt.Sprintf("%s; %v", text, now.phase)
		}
		if now.n > 0 {
			text = fmt.Sprintf("%s, %d remaining", text, now.n)
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
func (p *progress) made(now left) bool {
	switch {
	case now.phase == 0:
		return false
	case now.phase > p.phase: // which may only mean that the deadline of the phase before has passed
		p.phase, p.least = now.phase, now.n
		return false
	case now.n < p.least:
		p.least = now.n
		return true
	default:
		return false
	}
}
