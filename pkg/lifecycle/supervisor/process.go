package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor/internal/warden"
)

// process is one generation of a child, from its start until it is reaped.
type process struct {
	spec    *Spec
	post    *warden.Post
	log     *slog.Logger
	id      identity
	os      *os.Process
	began   time.Time
	out     *output
	conn    *grpc.ClientConn // nil for a plain child
	wire    *wire            // nil for a plain child
	mail    *mailbox
	ladder  *ladder
	session session

	// ctx ends when the process has ended.
	ctx    context.Context
	cancel context.CancelFunc
	// greeted, ready and gone are closed when that has happened.
	greeted, ready, gone chan struct{}
	work                 sync.WaitGroup

	reaping sync.Mutex // guards reaped, and signals to the group against it
	reaped  bool
	state   *os.ProcessState

	mu     sync.Mutex
	asked  bool // to stop
	reason Reason
	err    error
	vitals vitals
	heard  time.Time
	watch  *watch
	calm   bool // drained
	bye    bool
}

// startProcess starts a generation. run must be called on the result.
func startProcess(s *spawner, post *warden.Post, spec *Spec, id identity) (*process, error) {
	l, err := launch(s, spec, id)
	if err != nil {
		return nil, err
	}
	post.Guard(l.process.Pid, spec.OrphanGrace)
	p := &process{
		spec:    spec,
		post:    post,
		log:     spec.Log.With("slot", id.slot, "generation", id.generation, "pid", l.process.Pid, "supervisor", spec.Name),
		id:      id,
		os:      l.process,
		began:   time.Now(),
		out:     newOutput(spec.Log, "name", spec.Name, "slot", id.slot, "generation", id.generation, "pid", l.process.Pid),
		mail:    newMailbox(),
		session: session{slot: id.slot, generation: id.generation},
		greeted: make(chan struct{}),
		ready:   make(chan struct{}),
		gone:    make(chan struct{}),
		watch:   newWatch(spec),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.ladder = newLadder(p.gone, p.act)
	p.out.follow("stdout", l.stdout)
	p.out.follow("stderr", l.stderr)
	if spec.Plain {
		return p, nil
	}
	p.wire, err = newWire(l.channel)
	if err == nil {
		// The guard is to be the one who misses a Hello: gRPC gives up later.
		p.conn, err = dial(p.wire, 2*spec.HelloTimeout+time.Minute)
	}
	if err != nil {
		p.killGroup()
		p.reap()
		return nil, err
	}
	return p, nil
}

// run supervises the process until it has ended and is reaped.
func (p *process) run() Exit {
	p.work.Go(p.ladder.run)
	if p.spec.Plain {
		p.work.Go(p.poll)
	} else {
		p.work.Go(p.control)
		p.work.Go(p.guard)
	}
	p.reap()
	p.work.Wait()
	return p.exit()
}

// reap waits for the end of the process, takes what is left of its group along
// and collects its status, its output and its connection.
func (p *process) reap() {
	err := waitExit(p.os.Pid)
	p.reaping.Lock()
	if err == nil {
		// Before the leader is reaped the number of the group is still its own.
		_ = syscall.Kill(-p.os.Pid, syscall.SIGKILL)
	}
	p.post.Release(p.os.Pid)
	state, err := p.os.Wait()
	p.state, p.reaped = state, true
	p.reaping.Unlock()
	if err != nil {
		p.log.Error("child has no exit status", "error", err)
	}
	close(p.gone)
	p.cancel()
	if p.conn != nil {
		_ = p.conn.Close()
	}
	if p.wire != nil {
		_ = p.wire.Close()
	}
	p.out.finish()
}

// killGroup sends SIGKILL to the whole process group, unless the process has
// been reaped and the number of the group may be that of another.
func (p *process) killGroup() {
	p.reaping.Lock()
	defer p.reaping.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.os.Pid, syscall.SIGKILL)
	}
}

// ask tells the child to stop.
func (p *process) ask(o order) {
	p.mu.Lock()
	p.asked = true
	if p.reason == "" {
		p.reason = ReasonStopped
	}
	p.mu.Unlock()
	p.ladder.climb(o)
}

// violate ends a child that did something wrong, beginning with a step.
func (p *process) violate(reason Reason, err error, step Step) {
	p.mu.Lock()
	if p.reason == "" {
		p.reason = reason
	}
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	p.log.Error("child failed", "reason", reason, "error", err)
	p.ladder.climb(p.order(step, time.Now().Add(p.spec.StopTimeout)))
}

// order is an order with the times of the spec.
func (p *process) order(step Step, until time.Time) order {
	return order{step: step, until: until, term: p.spec.TermTimeout, quit: p.spec.QuitTimeout}
}

// act is one step of the ladder. Signals to a process that has ended fail, and
// need no other answer.
func (p *process) act(step Step, until time.Time) {
	p.log.Info("stopping child", "step", step.String(), "remaining", max(0, time.Until(until)))
	switch step {
	case StepDrain:
		if p.spec.Plain {
			_ = p.os.Signal(p.spec.StopSignal)
		} else {
			p.mail.put(drainRequest(time.Until(until)))
		}
	case StepTerm:
		if !p.spec.Plain {
			p.mail.put(stopRequest())
		}
		_ = p.os.Signal(syscall.SIGTERM)
		// A child that somebody stopped could neither commit nor say where it is.
		_ = p.os.Signal(syscall.SIGCONT)
	case StepQuit:
		p.out.capture()
		_ = p.os.Signal(syscall.SIGQUIT)
		_ = p.os.Signal(syscall.SIGCONT)
	default:
		p.killGroup()
	}
}

// exit composes the end of the generation once the process is reaped.
func (p *process) exit() Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := Exit{
		Name: p.spec.Name, Slot: p.id.slot, Generation: p.id.generation, Pid: p.os.Pid,
		State: p.state, Code: -1, Reason: p.reason, Err: p.err,
		Step: p.ladder.reached(), Ready: isClosed(p.ready), Ran: time.Since(p.began),
	}
	e.Stderr, e.Stacks = p.out.kept()
	if p.state != nil {
		e.Code = p.state.ExitCode()
		if status, ok := p.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			e.Signal = status.Signal()
		}
	}
	switch {
	case e.Reason == "":
		e.Reason = ReasonExited
	case e.Reason == ReasonStopped && e.Forced():
		e.Reason = ReasonForced
	case e.Reason == ReasonStopped && e.Err == nil && !p.spec.Plain && (e.Code != 0 || e.Signal != 0):
		e.Err = errUncleanStop
	}
	return e
}

// errUncleanStop marks a child that ended in time but not with status 0.
var errUncleanStop = errors.New("child did not stop clean")

// startFailure is the end of a generation without a process.
func startFailure(spec *Spec, id identity, err error) Exit {
	return Exit{
		Name: spec.Name, Slot: id.slot, Generation: id.generation,
		Code: -1, Reason: ReasonStartFailed, Err: fmt.Errorf("supervisor %q: %w", spec.Name, err),
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
