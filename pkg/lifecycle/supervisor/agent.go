package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"
)

const (
	// defaultOrphanGrace leaves a grandchild that is a supervised child itself
	// its own orphan grace within the second that a killed tree may take.
	defaultOrphanGrace = 300 * time.Millisecond
	// byeTime bounds the leave-taking: a parent that is stopped doesn't listen.
	byeTime = 250 * time.Millisecond
)

// Agent is the child's side of the control channel. Make one with [Attach]. Its
// methods are safe for concurrent use.
type Agent struct {
	group  *lifecycle.Group
	id     identity
	wire   *wire
	server *grpc.Server
	kill   func() // ends the process group

	// Each is closed once, when that has happened.
	ready, drained, leaving, left, orphaned chan struct{}
	readyOnce                               sync.Once
	work                                    sync.WaitGroup

	mu                 sync.Mutex
	inFlight, progress func() int64
	oldest             func() time.Duration
	talking            chan struct{} // closed when the stream has ended; nil before it began
	hurry              *time.Timer   // ends the draining; nil before a Drain
	signals            int           // that the group was given
}

// Attach connects the group of a child process to the supervisor that started
// the process. It returns [ErrNotChild] if there is none; see [IsChild]. It must
// be called before the group runs, at most once, and early: Hello is due within
// [Spec.HelloTimeout] of the start of the process, and is sent when the group
// starts its parts of phase Close.
//
// From then on Drain is a clean Shutdown of the group. It ends Announce and
// Drain, as a second signal does, when what is left of the supervisor's time is
// just what the later phases are promised. Once the group has started the child
// reports that it is ready. The end of the channel is a Shutdown with
// [ErrOrphaned], and after [Spec.OrphanGrace] SIGKILL for the process group.
//
// Attach takes SIGTERM and SIGINT over from the group. The first SIGTERM begins
// the stop and any later one counts as the second signal, never as the third:
// the supervisor sends it after a Drain that took too long, and Commit must not
// be skipped for it. SIGINT, which a terminal sends to parents and children
// alike, is ignored. The process survives writing to a closed stderr.
func Attach(g *lifecycle.Group) (*Agent, error) {
	if !inherited.present {
		return nil, ErrNotChild
	}
	if inherited.err != nil {
		return nil, fmt.Errorf("supervisor: %w", inherited.err)
	}
	wire, err := newWire(os.NewFile(channelFD, "supervisor channel"))
	if err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	return attach(g, wire, inherited.identity)
}

// attach is Attach for a given channel.
func attach(g *lifecycle.Group, wire *wire, id identity) (*Agent, error) {
	a := &Agent{
		group: g, id: id, wire: wire,
		ready: make(chan struct{}), drained: make(chan struct{}),
		leaving: make(chan struct{}), left: make(chan struct{}), orphaned: make(chan struct{}),
		kill:   killOwnGroup,
		server: grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage)),
	}
	supervisorv1.RegisterSupervisorServiceServer(a.server, &service{agent: a})
	for _, part := range []lifecycle.Part{
		{Name: "supervisor.channel", Phase: lifecycle.Close, Start: a.serve, Stop: a.leave, Kill: a.killIfOrphaned},
		{Name: "supervisor.drained", Phase: lifecycle.Leave, Stop: a.reportDrained},
	} {
		if err := g.Add(part); err != nil {
			return nil, errors.Join(fmt.Errorf("supervisor: %w", err), wire.Close())
		}
	}
	g.Go("supervisor.ready", func(ctx context.Context) error {
		select {
		case <-g.Started():
			a.Ready()
		case <-ctx.Done():
		}
		return nil
	})
	return a, nil
}

// Slot is the number of the slot that the process was started for, from 0.
func (a *Agent) Slot() int { return a.id.slot }

// Generation is how often the slot has been started, from 1.
func (a *Agent) Generation() int64 { return a.id.generation }

// Server takes services that the parent may call on [Child.Conn]. Register them
// before the group runs.
func (a *Agent) Server() grpc.ServiceRegistrar { return a.server }

// Orphaned returns a channel that is closed when the parent has died: what it
// granted is void, and nobody reads stderr.
func (a *Agent) Orphaned() <-chan struct{} { return a.orphaned }

// Ready tells the supervisor that the child may be given work. It needs to be
// called only to say so before the whole group has started.
func (a *Agent) Ready() { a.readyOnce.Do(func() { close(a.ready) }) }

// SetProgress sets where heartbeats take their figures: how many units of work
// are in flight, and a counter that rises with each finished one and never
// falls. A child that has work in flight and does not count for
// [Spec.ProgressTimeout] is taken for hung; so is one whose functions block.
func (a *Agent) SetProgress(inFlight, progress func() int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight, a.progress = inFlight, progress
}

// SetOldest sets where heartbeats take the age of the oldest unit in flight.
func (a *Agent) SetOldest(oldest func() time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.oldest = oldest
}

// serve starts the server, and the watch for the death of the parent.
func (a *Agent) serve(context.Context) error {
	a.takeSignals()
	a.work.Go(func() {
		// The error says that the listener was closed, which is how it ends.
		_ = a.server.Serve(&onceListener{conn: a.wire, closed: make(chan struct{})})
	})
	a.work.Go(a.watchParent)
	return nil
}

// watchParent ends the process group if the parent dies before the agent has
// left.
func (a *Agent) watchParent() {
	select {
	case <-a.left:
		return
	case <-a.wire.gone:
	}
	close(a.orphaned)
	a.group.Shutdown(ErrOrphaned)
	<-time.After(a.id.orphanGrace)
	a.kill()
}

// reportDrained runs in phase Leave: Drain and Commit are over.
func (a *Agent) reportDrained(context.Context) error {
	close(a.drained)
	return nil
}

// leave says Bye, waits until the parent has heard it, and ends the server. The
// wait matters: the death signal comes from the thread that started this
// process and may arrive before the rest of the parent is dead. In an orphan
// leave waits for the end of the process group instead, so that no process of
// the group is left behind.
func (a *Agent) leave(ctx context.Context) error {
	close(a.leaving)
	a.mu.Lock()
	if a.hurry != nil {
		a.hurry.Stop()
	}
	talking := a.talking
	a.mu.Unlock()
	bye, cancel := context.WithTimeout(ctx, byeTime)
	defer cancel()
	if talking != nil {
		select {
		case <-talking:
		case <-bye.Done():
		}
	}
	if a.wire.ended() {
		<-ctx.Done()
		a.kill()
	}
	close(a.left)
	if talking != nil {
		a.flush(bye)
	}
	a.server.Stop()
	_ = a.wire.Close()
	a.work.Wait()
	return nil
}

// flush stops the server gracefully within ctx, so that what was sent last gets
// out. A parent that has not begun its stream must see the end of the channel
// instead: for a gRPC client, a server that takes no new calls is one to dial
// again.
func (a *Agent) flush(ctx context.Context) {
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		a.server.GracefulStop()
	}()
	select {
	case <-graceful:
	case <-ctx.Done():
	}
}

func (a *Agent) killIfOrphaned() {
	if isClosed(a.orphaned) {
		a.kill()
	}
}

// killOwnGroup does not return. A supervisor gives each child a group; a
// process without one of its own has no right to kill that.
func killOwnGroup() {
	pid := 0
	if syscall.Getpgrp() != os.Getpid() {
		pid = os.Getpid()
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	select {}
}

// onceListener hands out one connection and then nothing until it is closed.
type onceListener struct {
	conn   net.Conn
	once   sync.Once
	done   sync.Once
	closed chan struct{}
}

// Accept returns the connection, once.
func (l *onceListener) Accept() (net.Conn, error) {
	var conn net.Conn
	l.once.Do(func() { conn = l.conn })
	if conn != nil {
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close ends Accept.
func (l *onceListener) Close() error {
	l.done.Do(func() { close(l.closed) })
	return nil
}

// Addr is that of the connection.
func (l *onceListener) Addr() net.Addr { return l.conn.LocalAddr() }
