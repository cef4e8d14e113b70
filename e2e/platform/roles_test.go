package platform

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	lifecyclekafka "github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
)

// roleVariable makes this program something else than the tests: a client that holds a connection, or a consumer.
const roleVariable = "CURFEW_PLATFORM_ROLE"

// roles are run by TestMain; the arguments are those of the program.
var roles = map[string]func(args []string) int{"client": client, "consumer": consumer}

// startClient starts a program that holds a connection to a gRPC server, and returns its process id.
func startClient(t *testing.T, address string) (pid int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], address)
	cmd.Env = append(os.Environ(), roleVariable+"=client")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "connected\n" {
		t.Fatalf("the client says %q: %v", line, err)
	}
	return cmd.Process.Pid
}

// client makes a call, watches the health of the server, and keeps its connection.
func client(args []string) int {
	conn, err := stand.Dial(args[0])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	watch, err := healthv1.NewHealthClient(conn).Watch(context.Background(), &healthv1.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("connected")
	select {}
}

// startConsumer starts the smallest consumer that one can build with lifecycle/kafka.
func startConsumer(t *testing.T, broker, topic string) *stand.Process {
	t.Helper()
	p, err := stand.Start(os.Args[0], []string{roleVariable + "=consumer"}, broker, topic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func consumer(args []string) int {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	group, err := lifecycle.New(lifecycle.WithLogger(log))
	if err != nil {
		return lifecycle.ExitCode(err)
	}
	client := []kgo.Opt{kgo.SeedBrokers(args[0]), kgo.ConsumeTopics(args[1]), kgo.ConsumerGroup(args[1] + "-consumer")}
	process := func(_ context.Context, b *lifecyclekafka.Batch) error {
		log.Info("a batch is done", "records", len(b.Records))
		return nil
	}
	if _, err := lifecyclekafka.AddLoop(group, "consumer", client, process, lifecyclekafka.WithLogger(log)); err != nil {
		return lifecycle.ExitCode(err)
	}
	return lifecycle.ExitCode(group.Run(context.Background()))
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within a minute: %s", strings.TrimSpace(what))
		}
	}
}

// pass lets time pass in other processes.
func pass(d time.Duration) { <-time.After(d) }
