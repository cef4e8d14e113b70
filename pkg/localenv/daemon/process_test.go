package daemon_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
)

// patience bounds every wait, for a busy machine.
const patience = time.Minute

func output(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func shell(t *testing.T, script string) daemon.Spec {
	t.Helper()
	return daemon.Spec{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Output: output(t)}
}

func bounded(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func written(spec daemon.Spec) func(context.Context) error {
	return func(context.Context) error {
		raw, err := os.ReadFile(spec.Output.(*os.File).Name())
		if err != nil || !strings.Contains(string(raw), "ready") {
			return errors.Join(err, errors.New("not yet"))
		}
		return nil
	}
}

func TestAProgramThatIgnoresItsStopSignalIsKilledAndNamed(t *testing.T) {
	spec := shell(t, `trap "" TERM; echo ready; while :; do sleep 1; done`)
	p, err := daemon.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Await(bounded(t, patience), written(spec)); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(bounded(t, 100*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("got %v", err)
	}
}

func TestAProgramThatEndsBeforeItIsReadyIsAnError(t *testing.T) {
	p, err := daemon.Start(shell(t, "exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	never := func(context.Context) error { return errors.New("never") }
	if err := p.Await(bounded(t, patience), never); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}

func TestADetachedProgramIsFoundByItsRecordAndStopped(t *testing.T) {
	spec := shell(t, "echo ready; while :; do sleep 0.05; done")
	file := filepath.Join(t.TempDir(), "folder", "record.json")
	r, err := daemon.Detach(spec, "127.0.0.1:1", file)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Await(bounded(t, patience), written(spec)); err != nil {
		t.Fatal(err)
	}
	found, err := daemon.Load(file)
	if err != nil || found != r {
		t.Fatalf("found %+v, %v, want %+v", found, err, r)
	}
	if err := found.Stop(bounded(t, patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.Load(file); !errors.Is(err, daemon.ErrNotRecorded) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestARecordWhoseProcessIdWasGivenToAnotherIsNotBelieved(t *testing.T) {
	spec := shell(t, "sleep 60")
	file := filepath.Join(t.TempDir(), "record.json")
	r, err := daemon.Detach(spec, "", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-r.Pid, syscall.SIGKILL) }()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(raw), `"birth":"`, `"birth":"1`, 1)
	if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.Load(file); !errors.Is(err, daemon.ErrNotRecorded) {
		t.Errorf("got %v", err)
	}
}
