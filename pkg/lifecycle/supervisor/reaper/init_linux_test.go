package reaper

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

// roles are the programs that the tests start.
var roles = map[string]func() error{
	"init":    playInit,
	"foreign": playForeign,
	"owner":   func() error { return owned(150) },
}

const (
	orphans  = 5000 // that are given to PID 1
	families = 10   // that leave them
)

// asInit runs a role as PID 1 of a pid namespace of its own.
func asInit(t *testing.T, role string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", role, err, out)
	}
	return string(out)
}

// mountProc shows the processes of this namespace, and only to it.
func mountProc() error {
	return errors.Join(
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, ""))
}

func TestPID1CollectsEveryOrphanAndNoStatusThatSomebodyWaitsFor(t *testing.T) {
	t.Log(asInit(t, "init"))
}

// playInit is PID 1 with owned children and orphans at once.
func playInit() error {
	if err := mountProc(); err != nil {
		return err
	}
	g, err := lifecycle.New(lifecycle.WithReportWriter(nil), lifecycle.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	if err := Add(g, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	g.Go("work", func(context.Context) error {
		var work sync.WaitGroup
		errs := make([]error, families+1)
		for i := range families {
			work.Go(func() { errs[i] = leaveOrphans(orphans / families) })
		}
		work.Go(func() { errs[families] = owned(400) })
		work.Wait()
		g.Shutdown(errors.Join(errors.Join(errs...), noZombies()))
		return nil
	})
	return g.Run(context.Background())
}

// leaveOrphans starts a shell that leaves many processes to PID 1, and ends.
func leaveOrphans(n int) error {
	script := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do ( : & ); i=$((i+1)); done; exit 77`, n)
	return exitsWith(exec.Command("/bin/sh", "-c", script), 77)
}

// owned starts children one after another, some at a time, and checks that each
// status is the one its child ended with.
func owned(n int) error {
	var work sync.WaitGroup
	errs := make([]error, 4)
	for w := range errs {
		work.Go(func() {
			for i := range n / len(errs) {
				code := 1 + i%100
				errs[w] = errors.Join(errs[w], exitsWith(exec.Command("/bin/sh", "-c", fmt.Sprintf("exit %d", code)), code))
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

func exitsWith(cmd *exec.Cmd, code int) error {
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == code {
		return nil
	}
	return fmt.Errorf("status of %v: %w, want %d", cmd.Args, err, code)
}

// noZombies waits until this process has no ended child left.
func noZombies() error {
	limit := time.After(time.Minute)
	for anyEnded() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-limit:
			left, err := zombies(os.Getpid())
			return fmt.Errorf("%d zombies, error %w", len(left), err)
		}
	}
	return nil
}

func TestAProcOfAnotherNamespaceIsRefused(t *testing.T) {
	t.Log(asInit(t, "foreign"))
}

// playForeign is PID 1 with the /proc of its parent: numbers mean others there.
func playForeign() error {
	if !Adopts() {
		return errors.New("PID 1 adopts")
	}
	if _, err := Hold(slog.New(slog.DiscardHandler)); !errors.Is(err, ErrUnsupported) {
		return fmt.Errorf("hold: %w", err)
	}
	return nil
}

func TestAnOwnedZombieIsLeftToItsOwnerForAsLongAsThatHoldsIt(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exit 7")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		list, err := zombies(os.Getpid())
		return err == nil && len(list) == 1 && list[0] == cmd.Process.Pid
	})
	for range 10 {
		if n, err := sweep(); n != 0 || err != nil {
			t.Fatalf("%d reaped, error %v", n, err)
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("wait: %v", err)
	}

	// One that was given up is nobody's.
	cmd = exec.Command("/bin/sh", "-c", "exit 7")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Release(); err != nil {
		t.Fatal(err)
	}
	total := 0
	await(t, func() bool {
		n, err := sweep()
		if err != nil {
			t.Fatal(err)
		}
		total += n
		return total == 1
	})
}

func TestAProcessThatIsGivenNobodyHoldsNoReaper(t *testing.T) {
	if Adopts() {
		t.Fatal("the test is no init")
	}
	release, err := Hold(nil)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if shared.stop != nil {
		t.Error("it reaps")
	}
}

func TestASubreaperReapsUntilTheLastHolderHasReleased(t *testing.T) {
	subreaper(t, 1)
	defer subreaper(t, 0)
	log := slog.New(slog.DiscardHandler)
	var release []func()
	for range 2 {
		r, err := Hold(log)
		if err != nil {
			t.Fatal(err)
		}
		release = append(release, r)
	}
	for range 2 {
		if err := errors.Join(leaveOrphans(20), noZombies()); err != nil {
			t.Error(err)
		}
		release[0]()
		release[0]() // counts once
	}
	release[1]()
	if shared.users != 0 || shared.stop != nil {
		t.Errorf("%d users, running %t", shared.users, shared.stop != nil)
	}
}

// subreaper sets whether orphans of this process's descendants are given to it.
func subreaper(t *testing.T, on uintptr) {
	t.Helper()
	const prSetChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, on, 0); errno != 0 {
		t.Fatal(errno)
	}
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-limit:
			t.Fatal("it does not happen")
		}
	}
}

func TestTheNameOfAProgramMayHoldAnything(t *testing.T) {
	for text, want := range map[string][3]int{
		"12 (sh) Z 1 12 12 0":          {12, 1, 'Z'},
		"12 (a) S 9 (b) R) Z 1 12":     {12, 1, 'Z'},
		"12 (\n\x00) S 77 12":          {12, 77, 'S'},
		"":                             {},
		"12 sh Z 1":                    {},
		"12 (sh)":                      {},
		"x (sh) Z 1":                   {},
		"12 (sh) Z y":                  {},
		"12 (sh) ZZ 1":                 {},
		strings.Repeat("(", 100) + ")": {},
	} {
		pid, ppid, state := parseStat([]byte(text))
		if pid != want[0] || ppid != want[1] || int(state) != want[2] {
			t.Errorf("%q: %d %d %c", text, pid, ppid, state)
		}
	}
	if names, _ := filepath.Glob("/proc/self/stat"); len(names) != 1 {
		t.Error("no /proc")
	}
}
