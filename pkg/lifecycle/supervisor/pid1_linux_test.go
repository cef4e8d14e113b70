package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func init() { roles["init"] = playInit }

// namespaced makes a command PID 1 of a pid namespace, with mounts of its own.
func namespaced(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
}

func TestASupervisorIsPID1OfAContainer(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=init", "GORACE=atexit_sleep_ms=0")
	namespaced(cmd)
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	eventually(t, "PID 1 is done", func() bool { return isClosed(ended) || strings.Contains(out.String(), "done\n") })
	// The kernel drops signals to PID 1 that it has no handler for.
	signalPid(t, cmd.Process.Pid, syscall.SIGTERM)
	eventually(t, "PID 1 ends", func() bool { return isClosed(ended) })
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	t.Log(out)
}

// playInit is PID 1: children in slots that end all the time, and orphans of a
// plain child, which are its to reap.
func playInit(ctx context.Context) int {
	if os.Getpid() != 1 {
		return fail(errors.New("not PID 1"))
	}
	if err := errors.Join(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, "")); err != nil {
		return fail(err)
	}
	g, err := lifecycle.New(lifecycle.WithLogger(slog.New(slog.DiscardHandler)), lifecycle.WithReportWriter(nil))
	if err != nil {
		return fail(err)
	}
	var (
		mu     sync.Mutex
		faults []error
		seen   = map[string]int{}
	)
	blame := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		faults = append(faults, err)
	}
	quitters := Spec{
		Name: "quitters", Slots: 3, Plain: true, Path: "/bin/sh", Args: []string{"-c", "exit 42"},
		Restart: RestartPolicy{Min: time.Millisecond, Max: 2 * time.Millisecond, Intensity: -1},
		Log:     slog.New(slog.DiscardHandler),
		OnExit: func(e Exit) {
			if e.State == nil || e.Code != 42 && e.Step == StepNone {
				blame(fmt.Errorf("lost: %v", e))
			}
			mu.Lock()
			defer mu.Unlock()
			seen[fmt.Sprintf("%d %d", e.Slot, e.Generation)]++
		},
	}
	left := make(chan Exit, 1)
	orphans := Spec{
		Name: "orphans", Plain: true, Path: "/bin/sh", Log: slog.New(slog.DiscardHandler),
		Args:    []string{"-c", "i=0; while [ $i -lt 500 ]; do ( (exit 3) & ); i=$((i+1)); done; exit 43"},
		Restart: RestartPolicy{Never: true}, OnExit: func(e Exit) { left <- e },
	}
	worker := role("worker")
	for _, spec := range []Spec{quitters, orphans, worker} {
		if spec.Log == nil {
			spec.Name, spec.Log = "worker", slog.New(slog.DiscardHandler)
		}
		if _, err := Add(g, spec); err != nil {
			return fail(err)
		}
	}
	g.Go("check", func(ctx context.Context) error {
		if e := <-left; e.Code != 43 {
			blame(fmt.Errorf("lost: %v", e))
		}
		blame(onlyLiving())
		select {
		case <-g.Started():
			fmt.Println("done")
		case <-ctx.Done():
		}
		return nil
	})
	_ = g.Run(ctx)
	for key, n := range seen {
		if n != 1 {
			blame(fmt.Errorf("the end of slot and generation %s was seen %d times", key, n))
		}
	}
	// An orphan that ends after the reaper may stay: the end of PID 1 collects it.
	for _, phase := range g.Report().Phases {
		for _, part := range phase.Parts {
			// Quitters fail also while they are told to stop.
			if part.Outcome != lifecycle.Clean && part.Name != "quitters.drain" {
				blame(fmt.Errorf("%s: %s: %s", part.Name, part.Outcome, part.Error))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fail(err)
	}
	fmt.Println(len(seen), "ends seen")
	return 0
}

// onlyLiving waits until every zombie of this namespace is collected.
func onlyLiving() error {
	limit := time.After(patience)
	for {
		var dead []string
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, name := range stats {
			stat, _ := os.ReadFile(name)
			if p, ok := parseStat(string(stat)); ok && !p.alive() {
				dead = append(dead, string(stat))
			}
		}
		if len(dead) == 0 {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			return fmt.Errorf("zombies: %q", dead)
		}
	}
}
