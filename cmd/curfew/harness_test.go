package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

// binary is the program under test, built once, in a folder that every account
// can reach.
var binary string

func TestMain(m *testing.M) {
	if err := testMain(m); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func testMain(m *testing.M) error {
	folder, err := scratch.Make("curfew-dev-test")
	if err != nil {
		return err
	}
	defer func() { _ = folder.Remove() }()
	if err := os.Chmod(folder.Path(), 0o711); err != nil {
		return err
	}
	binary = filepath.Join(folder.Path(), "curfew")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	m.Run()
	return leak.Found()
}

// buffer collects output that a process is still writing.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// patience bounds every wait: a busy machine starts a dozen processes slowly.
const patience = 3 * time.Minute

// environment is a running `curfew dev`.
type environment struct {
	t              *testing.T
	cmd            *exec.Cmd
	dir            string
	stdout, stderr buffer
	ended          chan struct{}
}

// stateDir is a state folder below a folder that others can walk through, as
// /home/NAME usually is.
func stateDir(t *testing.T) string {
	t.Helper()
	folder, err := scratch.Make("curfew-dev-state")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder.Path(), 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := folder.Remove(); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(folder.Path(), "state")
}

// begin starts `curfew dev --state-dir dir args`, as another account if one is
// given.
func begin(t *testing.T, dir string, who *syscall.Credential, args ...string) *environment {
	t.Helper()
	e := &environment{t: t, dir: dir, ended: make(chan struct{})}
	e.cmd = exec.Command(binary, append([]string{"dev", "--state-dir", dir}, args...)...)
	e.cmd.Stdout, e.cmd.Stderr = &e.stdout, &e.stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
	e.cmd.WaitDelay = 5 * time.Second
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(e.ended)
		_ = e.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		<-e.ended
		leak.Text("curfew dev", e.stdout.String())
		leak.Text("curfew dev", e.stderr.String())
		if t.Failed() {
			t.Logf("stderr of %v:\n%s", args, e.stderr.String())
		}
	})
	return e
}

// status waits for the end and returns the exit status.
func (e *environment) status() int {
	e.t.Helper()
	select {
	case <-e.ended:
		return e.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		e.t.Fatal("curfew dev does not end")
		return -1
	}
}

// await polls until the condition holds.
func (e *environment) await(what string, holds func() bool) {
	e.t.Helper()
	await(e.t, patience, what, func() bool {
		select {
		case <-e.ended:
			e.t.Fatalf("curfew dev ended before %s", what)
		default:
		}
		return holds()
	})
}

// ready waits until the file env is there.
func (e *environment) ready() {
	e.t.Helper()
	e.await("it was ready", func() bool {
		_, err := os.Stat(filepath.Join(e.dir, "env"))
		return err == nil
	})
}

func (e *environment) signal(sig syscall.Signal) {
	e.t.Helper()
	if err := e.cmd.Process.Signal(sig); err != nil {
		e.t.Fatal(err)
	}
}

func await(t *testing.T, bound time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", bound, what)
		case <-tick.C:
		}
	}
}

// shell runs a script and returns what it prints.
func shell(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}
