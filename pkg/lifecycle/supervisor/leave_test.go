package supervisor

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestAParentThatDiesWhileItsChildSaysByeLeavesAnOrphanAndNotAFreeChild(t *testing.T) {
	parentEnd, childEnd, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := newWire(parentEnd)
	if err != nil {
		t.Fatal(err)
	}
	child, err := newWire(childEnd)
	if err != nil {
		t.Fatal(err)
	}
	g, err := lifecycle.New(quiet(lifecycle.WithoutSignals())...)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := attach(g, child, identity{generation: 1, heartbeat: time.Second, orphanGrace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	killed := make(chan struct{})
	var once sync.Once
	agent.kill = func() { once.Do(func() { close(killed) }) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Run(context.Background())
	}()

	conn, err := dial(parent, patience)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := supervisorv1.NewSupervisorServiceClient(conn).Supervise(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for said := false; !said; {
		message, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		switch message.GetMessage().(type) {
		case *supervisorv1.SuperviseResponse_Ready:
			g.Shutdown(nil)
		case *supervisorv1.SuperviseResponse_Bye:
			said = true
		}
	}
	// Dead before it could hang up.
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-killed:
	case <-time.After(patience):
		t.Error("the child would have left its process group behind")
	}
	<-done
}

func TestAStopAtAnyMomentOfTheStartIsHeardByTheChild(t *testing.T) {
	for i := range 20 {
		s := begin(t, role("worker"))
		<-time.After(time.Duration(i*150) * time.Microsecond)
		_ = s.stop()
		for _, e := range s.ended() {
			if e.Step != StepDrain || e.Signal != 0 {
				t.Errorf("exit: %v\n%s", e, s.logs)
			}
		}
	}
}

// A gRPC server that stops gracefully tells its clients to dial again, which a
// parent can't; it would take the child for one that talks garbage.
func TestAChildThatEndsBeforeItsParentCallsHangsUpAndDoesNotAskToBeDialedAgain(t *testing.T) {
	parent, child := pair(t)
	g, err := lifecycle.New(quiet(lifecycle.WithoutSignals())...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attach(g, child, identity{generation: 1, heartbeat: time.Second}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(context.Background()) }()
	client := http2.NewFramer(parent, parent)
	if _, err := io.WriteString(parent, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := client.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := client.ReadFrame()
		if err != nil {
			break // the child has hung up
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			t.Errorf("the child says %v", frame)
		case *http2.SettingsFrame:
			if frame.IsAck() { // the server serves
				g.Shutdown(nil)
			}
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = parent.Close()
}
