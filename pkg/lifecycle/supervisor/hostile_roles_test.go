package supervisor

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// forever blocks until somebody kills the process. A program in which nothing
// is left to run would be ended by the Go runtime.
func forever() int {
	<-time.After(time.Hour)
	return 0
}

// playGarbage writes on the channel what is no gRPC.
func playGarbage(context.Context) int {
	channel := os.NewFile(channelFD, "channel")
	if _, err := channel.WriteString(strings.Repeat("\x00\xffgarbage\n", 1000)); err != nil {
		return fail(err)
	}
	return forever()
}

// playMute holds the channel and says nothing.
func playMute(context.Context) int { return forever() }

// playCloser closes the channel and lives on.
func playCloser(context.Context) int {
	if err := os.NewFile(channelFD, "channel").Close(); err != nil {
		return fail(err)
	}
	return forever()
}

// playStubborn ignores Drain and SIGTERM.
func playStubborn(context.Context) int {
	return serveFake(func(stream supervisorv1.SupervisorService_SuperviseServer) error {
		return chat(stream, inherited.identity, func(int64) *supervisorv1.Heartbeat { return &supervisorv1.Heartbeat{} })
	}, syscall.SIGTERM)
}

// playStuck has work in flight and finishes none of it.
func playStuck(ctx context.Context) int {
	g, err := lifecycle.New(quiet()...)
	if err != nil {
		return fail(err)
	}
	agent, err := Attach(g)
	if err != nil {
		return fail(err)
	}
	agent.SetProgress(func() int64 { return 3 }, func() int64 { return 7 })
	return lifecycle.ExitCode(g.Run(ctx))
}

// playSilent says Hello and Ready, and then nothing any more.
func playSilent(context.Context) int {
	return serveFake(func(stream supervisorv1.SupervisorService_SuperviseServer) error {
		return chat(stream, inherited.identity, nil)
	})
}

// playLiar counts backwards.
func playLiar(context.Context) int {
	return beats(func(n int64) *supervisorv1.Heartbeat { return &supervisorv1.Heartbeat{Progress: 1000 - n} })
}

// playNegative has less than nothing to do.
func playNegative(context.Context) int {
	return beats(func(int64) *supervisorv1.Heartbeat { return &supervisorv1.Heartbeat{InFlight: -1} })
}

// playHuge has more to do than there is, and does none of it.
func playHuge(context.Context) int {
	return beats(func(int64) *supervisorv1.Heartbeat {
		return &supervisorv1.Heartbeat{InFlight: math.MaxInt64, Progress: math.MaxInt64}
	})
}

// playBusybody counts and finishes nothing.
func playBusybody(context.Context) int {
	began := time.Now()
	return beats(func(n int64) *supervisorv1.Heartbeat {
		return &supervisorv1.Heartbeat{InFlight: 1, Oldest: durationpb.New(time.Since(began)), Progress: n}
	})
}

// beats is a child with heartbeats of its own making.
func beats(beat func(n int64) *supervisorv1.Heartbeat) int {
	return serveFake(func(stream supervisorv1.SupervisorService_SuperviseServer) error {
		return chat(stream, inherited.identity, beat)
	})
}

// playOldVersion speaks another version.
func playOldVersion(context.Context) int {
	return serveFake(func(stream supervisorv1.SupervisorService_SuperviseServer) error {
		if err := stream.Send(hello(ProtocolVersion+1, inherited.identity)); err != nil {
			return err
		}
		<-stream.Context().Done()
		return nil
	})
}

// playWrongService serves gRPC, but not the control service.
func playWrongService(context.Context) int {
	server := grpc.NewServer()
	healthv1.RegisterHealthServer(server, health.NewServer())
	return serveChannel(server)
}

// playCrash panics once it is ready.
func playCrash(context.Context) int {
	return serveFake(func(stream supervisorv1.SupervisorService_SuperviseServer) error {
		_ = stream.Send(hello(ProtocolVersion, inherited.identity))
		_ = stream.Send(&supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Ready{}})
		panic("poisonous record")
	})
}

// playHungry takes memory until it dies.
func playHungry(context.Context) int {
	var hoard [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := range b {
			b[i] = 1
		}
		hoard = append(hoard, b)
		if len(hoard) > 256 {
			return 0 // 4 GiB, the limit did not hold
		}
	}
}

// playFlood writes 64 MiB to stdout before it is a worker.
func playFlood(ctx context.Context) int {
	block := []byte(strings.Repeat(strings.Repeat("x", 1023)+"\n", 1024))
	for range 64 {
		if _, err := os.Stdout.Write(block); err != nil {
			return fail(err)
		}
	}
	return playWorker(ctx)
}

// playLongLine writes one line of more than 1 MiB without an end.
func playLongLine(context.Context) int {
	fmt.Print(strings.Repeat("y", 1<<20+1))
	return 0
}

// playLastWords writes lines and ends at once.
func playLastWords(context.Context) int {
	for i := range 1000 {
		fmt.Printf("{\"msg\":\"word\",\"level\":\"WARN\",\"n\":%d}\n", i)
	}
	fmt.Fprint(os.Stderr, "the end, without an end of line")
	return 9
}

// hello is the greeting of a child.
func hello(version int32, id identity) *supervisorv1.SuperviseResponse {
	return &supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Hello{
		Hello: &supervisorv1.Hello{Version: version, Slot: int32(id.slot), Generation: id.generation},
	}}
}

// chat greets, reports ready, and then sends heartbeats for ever, if there are any.
func chat(stream supervisorv1.SupervisorService_SuperviseServer, id identity, beat func(n int64) *supervisorv1.Heartbeat) error {
	_ = stream.Send(hello(ProtocolVersion, id))
	_ = stream.Send(&supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Ready{Ready: &supervisorv1.Ready{}}})
	for n := int64(0); beat != nil; n++ {
		err := stream.Send(&supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Heartbeat{Heartbeat: beat(n)}})
		if err != nil {
			return err
		}
		<-time.After(id.heartbeat)
	}
	<-stream.Context().Done()
	return nil
}

// fake is a control service with a mind of its own.
type fake struct {
	supervisorv1.UnsafeSupervisorServiceServer

	supervise func(supervisorv1.SupervisorService_SuperviseServer) error
}

// Supervise does what the fake is for.
func (f *fake) Supervise(stream supervisorv1.SupervisorService_SuperviseServer) error {
	return f.supervise(stream)
}

// serveFake serves a fake on the channel until the process is killed.
func serveFake(supervise func(supervisorv1.SupervisorService_SuperviseServer) error, ignored ...os.Signal) int {
	if len(ignored) > 0 {
		signal.Ignore(ignored...)
	}
	server := grpc.NewServer()
	supervisorv1.RegisterSupervisorServiceServer(server, &fake{supervise: supervise})
	return serveChannel(server)
}

func serveChannel(server *grpc.Server) int {
	conn, err := net.FileConn(os.NewFile(channelFD, "channel"))
	if err != nil {
		return fail(err)
	}
	if err := server.Serve(&onceListener{conn: conn, closed: make(chan struct{})}); err != nil {
		return fail(err)
	}
	return forever()
}
