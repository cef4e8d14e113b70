package lifecycle_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/leaktest"
)

// childEnv makes the test binary run a group of its own instead of the tests.
const childEnv = "CURFEW_LIFECYCLE_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		os.Exit(lifecycle.ExitCode(child(role)))
	}
	os.Exit(leaktest.Main(m))
}

// child is the process under test. It prints a line for everything that its parent waits for.
func child(role string) error {
	opts := []lifecycle.Option{lifecycle.WithTerminationMessage(os.Getenv("CURFEW_LIFECYCLE_TERMINATION"))}
	switch role {
	case "short of grace":
		opts = append(opts, lifecycle.WithGrace(time.Second))
	case "hung":
		opts = append(opts, lifecycle.WithGrace(2*time.Second), lifecycle.WithReserve(time.Second))
		for ph := lifecycle.Announce; ph <= lifecycle.Close; ph++ {
			opts = append(opts, lifecycle.WithBudget(ph, 100*time.Millisecond, 200*time.Millisecond))
		}
	}
	g, err := lifecycle.New(opts...)
	if err != nil {
		return err
	}
	say := func(name string, then func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			fmt.Println(name)
			return then(ctx)
		}
	}
	fine := func(context.Context) error { return nil }
	forever := func(context.Context) error { select {} }
	obey := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	drain, commit := fine, fine
	switch role {
	case "hung":
		drain = forever
	case "slow drain":
		drain = obey
	case "slow drain and commit":
		drain, commit = obey, forever
	}
	for _, p := range []lifecycle.Part{
		{Name: "ready", Phase: lifecycle.Announce, Start: say("ready", fine)},
		{Name: "work", Phase: lifecycle.Drain, Stop: say("drain", drain)},
		{Name: "offsets", Phase: lifecycle.Commit, Stop: say("commit", commit)},
		{Name: "pool", Phase: lifecycle.Close, Stop: say("close", fine)},
	} {
		if err := g.Add(p); err != nil {
			return err
		}
	}
	if role == "failing" {
		g.Go("loop", func(context.Context) error { <-g.Started(); return errors.New("disk full") })
	}
	if role == "unrecovered" {
		g.Go("loop", lifecycle.Unrecovered(func(context.Context) error { <-g.Started(); panic("poison") }))
	}
	return g.Run(context.Background())
}

// process is a running child.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr strings.Builder
	note   string // path of the termination message
}

func startProcess(t *testing.T, role string) *process {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), exe), note: filepath.Join(t.TempDir(), "termination")}
	p.cmd.Env = append(os.Environ(), childEnv+"="+role, "CURFEW_LIFECYCLE_TERMINATION="+p.note)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	p.lines = bufio.NewScanner(out)
	must(t, p.cmd.Start())
	return p
}

// expect waits for a line of the child.
func (p *process) expect(line string) {
	p.t.Helper()
	for p.lines.Scan() {
		if p.lines.Text() == line {
			return
		}
	}
	p.t.Fatalf("the child never said %q; stderr:\n%s", line, p.stderr.String())
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(sig))
}

// wait returns the exit code and the stop report, which is the last line of stderr.
func (p *process) wait() (int, lifecycle.Report) {
	p.t.Helper()
	for p.lines.Scan() {
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	last := lines[len(lines)-1]
	var message struct {
		lifecycle.Report

		Msg string `json:"msg"`
	}
	if err := json.Unmarshal([]byte(last), &message); err != nil || message.Msg != "stop report" {
		p.t.Fatalf("the last line is no stop report: %v\n%s", err, p.stderr.String())
	}
	return p.cmd.ProcessState.ExitCode(), message.Report
}

func TestSIGTERMStopsTheProcessCleanWithItsReportOnStderr(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := startProcess(t, "fine")
		p.expect("ready")
		p.signal(sig)
		code, r := p.wait()
		if code != 0 || r.ExitCode != 0 || r.Outcome != lifecycle.Clean || r.Cause != "signal: "+sig.String() {
			t.Errorf("%v: exit %d, %+v", sig, code, r)
		}
		if r.Used > lifecycle.Duration(5*time.Second) { // microseconds, as a rule
			t.Errorf("an idle process took %v to stop", r.Used)
		}
		note, err := os.ReadFile(p.note)
		if err != nil || !strings.Contains(string(note), `"msg":"stop report"`) || len(note) > 4096 {
			t.Errorf("termination message %q, %v", note, err)
		}
	}
}

func TestASecondSignalEndsDrainButNotCommit(t *testing.T) {
	p := startProcess(t, "slow drain")
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("drain")
	p.signal(syscall.SIGTERM)
	p.expect("commit")
	p.expect("close")
	code, r := p.wait()
	if code != 3 || len(r.Signals) != 2 || r.Phases[2].Outcome != lifecycle.Forced || r.Phases[3].Outcome != lifecycle.Clean {
		t.Errorf("exit %d, %v", code, r)
	}
}

func TestAThirdSignalEndsTheProcessNow(t *testing.T) {
	p := startProcess(t, "slow drain and commit")
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("drain")
	p.signal(syscall.SIGTERM)
	p.expect("commit")
	p.signal(syscall.SIGTERM)
	code, r := p.wait()
	if code != 3 || len(r.Signals) != 3 || r.Phases[5].Outcome != lifecycle.Skipped || !strings.Contains(r.Error, "third signal") {
		t.Errorf("exit %d, %v", code, r)
	}
}

func TestAHungPartMakesTheProcessExitWithThreeAndNamesTheFunction(t *testing.T) {
	p := startProcess(t, "hung")
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("commit")
	code, r := p.wait()
	if part := r.Phases[2].Parts[0]; code != 3 || part.Outcome != lifecycle.Abandoned || !strings.Contains(part.Stack, "lifecycle_test.child.func") {
		t.Errorf("exit %d, %+v", code, r.Phases[2])
	}
	if r.Used > lifecycle.Duration(2*time.Second) {
		t.Errorf("took %v of 2 s", r.Used)
	}
}

func TestAFailureMakesTheProcessExitWithOne(t *testing.T) {
	p := startProcess(t, "failing")
	if code, r := p.wait(); code != 1 || r.Cause != `goroutine "loop": disk full` {
		t.Errorf("exit %d, %v", code, r)
	}
}

func TestAnImpossibleBudgetIsAUsageErrorBeforeAnythingStarts(t *testing.T) {
	p := startProcess(t, "short of grace")
	if p.lines.Scan() {
		t.Errorf("the child said %q", p.lines.Text())
	}
	_ = p.cmd.Wait() // the exit code is what counts
	if code := p.cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit %d", code)
	}
}

func TestAPanicThatIsNotRecoveredEndsTheProcessWithItsTrace(t *testing.T) {
	p := startProcess(t, "unrecovered")
	for p.lines.Scan() {
		if p.lines.Text() == "commit" {
			t.Error("an orderly stop began")
		}
	}
	if err := p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != 2 || !strings.Contains(p.stderr.String(), "panic: poison") || strings.Contains(p.stderr.String(), "stop report") {
		t.Errorf("%v, %s", err, p.stderr.String())
	}
	if err := lifecycle.Unrecovered(func(context.Context) error { return errActor })(t.Context()); !errors.Is(err, errActor) {
		t.Error(err)
	}
}
