package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"
)

// control reads what the child says until the channel or the process ends.
func (p *process) control() {
	err := p.converse()
	if isClosed(p.gone) {
		return
	}
	p.mu.Lock()
	bye := p.bye
	p.mu.Unlock()
	switch {
	case errors.Is(err, ErrVersion):
		p.violate(ReasonVersion, err, StepKill)
	case errors.Is(err, ErrProtocol):
		p.violate(ReasonProtocol, err, StepKill)
	case bye || p.wire.ended():
		p.linger(bye)
	default:
		// The connection ended here and not over there: what came was no gRPC,
		// or not this service.
		p.violate(ReasonProtocol, fmt.Errorf("%w: %w", ErrProtocol, err), StepKill)
	}
}

// linger gives a child whose channel has ended the time to end itself: after
// a Bye it may still close other things.
func (p *process) linger(bye bool) {
	wait := p.spec.TermTimeout
	if bye {
		wait = p.spec.StopTimeout
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.gone:
	case <-timer.C:
		p.violate(ReasonChannelClosed, fmt.Errorf("%w and lived on for %v", ErrChannelClosed, wait), StepTerm)
	}
}

func (p *process) converse() error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	stream, err := supervisorv1.NewSupervisorServiceClient(p.conn).Supervise(ctx)
	if err != nil {
		return err
	}
	p.work.Go(func() { p.mail.deliver(ctx, stream) })
	for {
		message, err := stream.Recv()
		if err != nil {
			return err
		}
		e, err := p.session.accept(message)
		if err != nil {
			return err
		}
		p.hear(e)
	}
}

// hear acts on a message that the session has accepted.
func (p *process) hear(e event) {
	p.mu.Lock()
	p.heard = time.Now()
	switch e {
	case eventHeartbeat:
		p.vitals = p.session.vitals
		p.watch.hear(p.vitals)
	case eventDrained:
		p.calm = true
	case eventBye:
		p.bye = true
	case eventHello, eventReady:
	}
	p.mu.Unlock()
	switch e {
	case eventHello:
		close(p.greeted)
	case eventReady:
		p.work.Go(p.admit)
	case eventBye:
		p.mail.hangUp()
		p.log.Info("child says bye", "reason", p.session.reason)
	case eventHeartbeat, eventDrained:
	}
}

// admit makes a child that says it is ready count as ready.
func (p *process) admit() {
	if p.spec.OnReady != nil {
		if err := p.spec.OnReady(p.ctx, Child{p}); err != nil {
			if !isClosed(p.gone) {
				p.violate(ReasonRefused, fmt.Errorf("on ready: %w", err), StepDrain)
			}
			return
		}
	}
	close(p.ready)
}

// guard watches the times: for Hello, for ready, for heartbeats and progress.
func (p *process) guard() {
	hello := time.NewTimer(p.spec.HelloTimeout)
	defer hello.Stop()
	select {
	case <-p.gone:
		return
	case <-p.greeted:
	case <-hello.C:
		p.violate(ReasonNoHello, fmt.Errorf("%w (%v)", ErrNoHello, p.spec.HelloTimeout), StepQuit)
		return
	}
	ready := time.NewTimer(p.spec.ReadyTimeout - time.Since(p.began))
	defer ready.Stop()
	tick := time.NewTicker(p.spec.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-p.gone:
			return
		case <-ready.C:
			if !isClosed(p.ready) {
				p.violate(ReasonNotReady, fmt.Errorf("%w (%v)", ErrNotReady, p.spec.ReadyTimeout), StepQuit)
				return
			}
		case <-tick.C:
			if err := p.tick(); err != nil {
				p.violate(hangReason(err), err, StepQuit)
				return
			}
		}
	}
}

// tick asks the watch, unless the child has taken its leave.
func (p *process) tick() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bye {
		return nil
	}
	return p.watch.tick()
}

func hangReason(err error) Reason {
	if errors.Is(err, ErrStalled) {
		return ReasonStalled
	}
	return ReasonUnresponsive
}

const (
	// pollEvery is the pause between two questions whether a plain child is
	// ready, pollTimeout bounds one of them.
	pollEvery   = 50 * time.Millisecond
	pollTimeout = 5 * time.Second
)

// poll asks until a plain child is ready.
func (p *process) poll() {
	if p.spec.Ready == nil {
		close(p.ready)
		return
	}
	limit := time.NewTimer(p.spec.ReadyTimeout)
	defer limit.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(p.ctx, pollTimeout)
		err := p.spec.Ready(ctx)
		cancel()
		if err == nil && !isClosed(p.gone) {
			close(p.ready)
			return
		}
		select {
		case <-p.gone:
			return
		case <-limit.C:
			p.violate(ReasonNotReady, fmt.Errorf("%w (%v): %w", ErrNotReady, p.spec.ReadyTimeout, err), StepTerm)
			return
		case <-tick.C:
		}
	}
}
