package stop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

// Child is the first argument of a process that Main is for.
const Child = "child"

// The second argument.
const (
	serveChild = "serve"
	burnChild  = "burn"
)

// Main is the life of a child process; args are those after Child. It returns
// the exit code.
func Main(args []string, stdin io.Reader, stdout io.Writer) int {
	switch {
	case len(args) == 1 && args[0] == serveChild:
		return lifecycle.ExitCode(serve(stdout))
	case len(args) == 1 && args[0] == burnChild:
		return burn(stdin, stdout)
	}
	return lifecycle.ExitUsage
}

// serve is the smallest gRPC service that can be stopped. It prints its address
// when it serves.
func serve(stdout io.Writer) error {
	group, err := lifecycle.New(lifecycle.WithGrace(grace))
	if err != nil {
		return err
	}
	tracker := grpcserver.NewTracker()
	srv := grpc.NewServer(tracker.ServerOptions()...)
	status := health.NewServer()
	healthpb.RegisterHealthServer(srv, status)
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := grpcserver.Add(group, "grpc", srv, lis, status, grpcserver.WithTracker(tracker)); err != nil {
		return err
	}
	group.Go("address", func(context.Context) error {
		<-group.Started()
		_, err := fmt.Fprintln(stdout, lis.Addr())
		return err
	})
	return group.Run(context.Background())
}

// burn keeps a CPU busy until its input ends, so that none is left behind
// whatever becomes of the bench.
func burn(stdin io.Reader, stdout io.Writer) int {
	go func() {
		for {
			for range 1 << 20 { //nolint:revive // Busy on purpose.
			}
		}
	}()
	if _, err := fmt.Fprintln(stdout, "busy"); err != nil {
		return lifecycle.ExitError
	}
	_, _ = io.Copy(io.Discard, stdin)
	return lifecycle.ExitClean
}

// child starts this program again and returns what it says first.
func child(ctx context.Context, arg string) (*exec.Cmd, io.WriteCloser, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, "", fmt.Errorf("find own executable: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, Child, arg)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, "", fmt.Errorf("start: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, "", fmt.Errorf("start: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, "", fmt.Errorf("start: %w", err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		return nil, nil, "", errors.Join(errors.New("a child ended early"), lines.Err(), cmd.Wait())
	}
	return cmd, stdin, lines.Text(), nil
}
