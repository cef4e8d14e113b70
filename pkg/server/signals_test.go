package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// asService makes the test program a service that does nothing.
const asService = "CURFEW_TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) == "" {
		os.Exit(m.Run())
	}
	cmd := command(&config{})
	cmd.Serve = func(_ context.Context, rt *Runtime) error {
		return rt.Group.Add(lifecycle.Part{Name: "service", Phase: lifecycle.Drain, Start: func(context.Context) error {
			_, err := fmt.Fprintln(os.Stdout, "started")
			return err
		}})
	}
	os.Exit(Main(cmd, []string{"--keyset-file", "x"}))
}

// idle runs the service, and returns when it has started.
func idle(t *testing.T, stderr io.Writer) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), asService+"=1")
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "started\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd
}

func TestATerminalThatClosesStopsAServiceAsAnyOtherSignalDoes(t *testing.T) {
	var stderr strings.Builder
	cmd := idle(t, &stderr)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(stderr.String(), `"cause":"signal: hangup","outcome":"clean"`) {
		t.Errorf("%v\n%s", err, stderr.String())
	}
}

func TestALogThatNobodyReadsAnyMoreDoesNotEndAService(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := idle(t, write)
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	// What it writes of its stop is the first that fails.
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
