package supervisor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"
)

// pair is a channel with both of its ends.
func pair(t testing.TB) (parent, child *wire) {
	t.Helper()
	parentEnd, childEnd, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	parent, err1 := newWire(parentEnd)
	child, err2 := newWire(childEnd)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return parent, child
}

// listener is the parent's side of a channel, without a process.
func listener(t testing.TB, end *wire, id identity) *process {
	t.Helper()
	spec, err := Spec{Name: "fuzz", Log: slog.New(slog.DiscardHandler)}.complete()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{
		spec: &spec, log: spec.Log, id: id, wire: end, mail: newMailbox(), watch: newWatch(&spec),
		session: session{slot: id.slot, generation: id.generation},
		greeted: make(chan struct{}), ready: make(chan struct{}), gone: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(t.Context())
	if p.conn, err = dial(end, patience); err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	// callBytes is more than a parent sends before it calls, and less than after.
	callBytes = 100
	// callTime is how long a child waits for the call of a parent that may have
	// heard enough before.
	callTime = 20 * time.Millisecond
)

// hearOut lets the parent's side hear bytes until their end. Those behind the
// first frame come when the parent has called, or after a time.
func hearOut(t testing.TB, id identity, said []byte, unasked time.Duration) (*process, error) {
	t.Helper()
	parent, child := pair(t)
	p := listener(t, parent, id)
	var work sync.WaitGroup
	work.Go(func() {
		// The first frame, then what answers the call: that has to be there.
		first := len(said)
		if first >= 9 {
			first = min(first, 9+int(said[0])<<16+int(said[1])<<8+int(said[2]))
		}
		_, _ = child.Write(said[:first])
		_ = child.SetReadDeadline(time.Now().Add(unasked))
		_, _ = io.ReadFull(child, make([]byte, callBytes))
		_, _ = child.Write(said[first:])
		_ = child.Conn.(*net.UnixConn).CloseWrite()
	})
	err := p.converse()
	close(p.gone)
	p.cancel()
	_ = p.conn.Close()
	_ = p.wire.Close()
	_ = child.Close()
	work.Wait()
	p.work.Wait()
	return p, err
}

// tee keeps what a parent reads.
type tee struct {
	net.Conn

	mu   sync.Mutex
	read bytes.Buffer
}

func (c *tee) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read.Write(b[:n])
	return n, err
}

// recorded is what a child really sends in its life.
func recorded(t testing.TB, id identity) []byte {
	t.Helper()
	parent, child := pair(t)
	ear := &tee{Conn: parent.Conn}
	parent.Conn = ear
	server := grpc.NewServer()
	supervisorv1.RegisterSupervisorServiceServer(server, &fake{supervise: func(stream supervisorv1.SupervisorService_SuperviseServer) error {
		return errors.Join(
			stream.Send(hello(ProtocolVersion, id)), stream.Send(ready()),
			stream.Send(heartbeat(&supervisorv1.Heartbeat{InFlight: 3, Progress: 9})),
			stream.Send(drained()), stream.Send(bye("done")))
	}})
	var work sync.WaitGroup
	work.Go(func() { _ = server.Serve(&onceListener{conn: child, closed: make(chan struct{})}) })
	p := listener(t, parent, id)
	if err := p.converse(); !p.session.bye {
		t.Errorf("the child said no bye: %v", err)
	}
	close(p.gone)
	p.cancel()
	_ = p.conn.Close()
	server.Stop()
	work.Wait()
	p.work.Wait()
	ear.mu.Lock()
	defer ear.mu.Unlock()
	return bytes.Clone(ear.read.Bytes())
}

func TestWhatAChildHasSaidIsUnderstoodTheSameASecondTime(t *testing.T) {
	id := identity{slot: 2, generation: 7}
	p, err := hearOut(t, id, recorded(t, id), patience)
	if !isClosed(p.greeted) || !isClosed(p.ready) || !p.calm || !p.bye || p.vitals.progress != 9 {
		t.Errorf("greeted %v, ready %v, calm %v, bye %v, vitals %+v: %v",
			isClosed(p.greeted), isClosed(p.ready), p.calm, p.bye, p.vitals, err)
	}
}

// FuzzChannel plays a child that writes whatever it likes on its channel: bytes,
// not messages. The conversation ends with an error, in time, and nobody counts
// as ready that has not greeted.
func FuzzChannel(f *testing.F) {
	id := identity{slot: 2, generation: 7}
	life := recorded(f, id)
	f.Add(life)
	f.Add(life[:len(life)/2])
	f.Add(append([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 64)...))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		began := time.Now()
		p, err := hearOut(t, id, said, callTime)
		if err == nil {
			t.Error("the conversation ended without an error")
		}
		if isClosed(p.ready) && !isClosed(p.greeted) {
			t.Error("ready without a hello")
		}
		if took := time.Since(began); took > patience {
			t.Errorf("took %v", took)
		}
	})
}
