package supervisor

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/randomtest"
)

// orphanLimit is how long a descendant may outlive a killed parent.
const orphanLimit = time.Second

// kills is the size of the suite.
func kills() int { return randomtest.Size{CI: 30, Race: 30, Soak: 1000}.Now() }

// family is a parent in a process of its own, with its children.
type family struct {
	t      *testing.T
	tag    string
	cmd    *exec.Cmd
	stdout *lockedBuffer
	stderr *lockedBuffer
	ended  chan struct{}
}

// start starts a parent of children that play a role, and waits until all are
// ready.
func start(t *testing.T, parent, child string, children int, env ...string) *family {
	t.Helper()
	f := launchFamily(t, parent, child, children, env...)
	eventually(t, "the parent has started", func() bool {
		return isClosed(f.ended) || strings.Contains(f.stdout.String(), "started\n")
	})
	if isClosed(f.ended) {
		t.Fatalf("the parent ended: %v\n%s%s", f.cmd.ProcessState, f.stdout, f.stderr)
	}
	return f
}

// launchFamily is start without the wait.
func launchFamily(t *testing.T, parent, child string, children int, env ...string) *family {
	t.Helper()
	f := &family{
		t: t, tag: fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()),
		stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, ended: make(chan struct{}),
	}
	f.cmd = exec.Command("/proc/self/exe")
	f.cmd.Env = append(os.Environ(), roleVar+"="+parent, lineageVar+"="+child, tagVar+"="+f.tag, fmt.Sprintf("%s=%d", childrenVar, children))
	f.cmd.Env = append(f.cmd.Env, env...)
	f.cmd.Stdout, f.cmd.Stderr = f.stdout, f.stderr
	// A grandchild that outlives all must not keep the test from seeing the end.
	f.cmd.WaitDelay = orphanLimit
	// As under an init system: the parent is the first of a session.
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(f.ended)
		_ = f.cmd.Wait()
	}()
	t.Cleanup(f.clean)
	return f
}

// clean leaves nothing behind after a test that failed.
func (f *family) clean() {
	for _, p := range processes(f.t, f.tag) {
		if p.alive() {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	<-f.ended
}

// living lists the members of the family that are alive.
func (f *family) living() []procInfo {
	var list []procInfo
	for _, p := range processes(f.t, f.tag) {
		if p.alive() {
			list = append(list, p)
		}
	}
	return list
}

// children lists the living children of the parent, without those that are
// still between fork and exec.
func (f *family) children() []procInfo {
	var list []procInfo
	for _, p := range f.living() {
		if p.ppid == f.cmd.Process.Pid && p.worker {
			list = append(list, p)
		}
	}
	return list
}

// freeze stops a member and waits until it stands.
func (f *family) freeze(pid int) {
	f.t.Helper()
	signalPid(f.t, pid, syscall.SIGSTOP)
	eventually(f.t, "the process is stopped", func() bool {
		return stopped(pid)
	})
}

// extinct waits until nobody of the family lives. The limit holds for processes
// that get a processor when they want one: even a process that was killed waits
// for its turn to die. What they have waited is added, as the kernel counts it.
func (f *family) extinct(limit time.Duration) {
	f.t.Helper()
	var starved starvation
	for began := time.Now(); ; <-time.After(5 * time.Millisecond) {
		spent := time.Since(began) // before the look: what is gone by then is gone
		left := f.living()
		if len(left) == 0 {
			return
		}
		// This process stands for threads that came and went between two looks.
		starved.look(append(pids(left), f.cmd.Process.Pid, os.Getpid()))
		if spent > limit+starved.total {
			f.t.Fatalf("after %v, %v of it without a processor, there is left, by pid, parent, group and state: %v", spent, starved.total, left)
		}
	}
}

// exits parses the ends that the parent has reported, each at most once.
func (f *family) exits() map[string]int {
	seen := map[string]int{}
	scanner := bufio.NewScanner(strings.NewReader(f.stdout.String()))
	for scanner.Scan() {
		var slot, generation, pid int
		if n, _ := fmt.Sscanf(scanner.Text(), "exit %d %d %d", &slot, &generation, &pid); n == 3 {
			seen[fmt.Sprintf("%d %d", slot, generation)]++
		}
	}
	return seen
}

func TestNothingOutlivesAKilledParentByMoreThanASecond(t *testing.T) {
	for _, c := range []struct {
		name, parent, child string
		children            int
		env                 []string
	}{
		{name: "workers", parent: "parent", child: "worker", children: 4},
		{name: "workers that drain long", parent: "parent", child: "worker", children: 2, env: []string{drainVar + "=1h"}},
		{name: "workers with grandchildren", parent: "parent", child: "forker", children: 2},
		{name: "plain programs", parent: "parent", child: "plain", children: 2},
		{name: "parents of workers", parent: "parent", child: "parent worker", children: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := start(t, c.parent, c.child, c.children, c.env...)
			if n := len(f.children()); n != c.children {
				t.Fatalf("%d children, want %d", n, c.children)
			}
			signalPid(t, f.cmd.Process.Pid, syscall.SIGKILL)
			f.extinct(orphanLimit)
		})
	}
}

func TestChildrenOfAKilledParentStillCommit(t *testing.T) {
	const children = 4
	// committed kills a parent and counts who committed in the grace of orphans.
	committed := func(grace time.Duration) int {
		dir := t.TempDir()
		f := start(t, "parent", "worker", children, commitVar+"="+dir, drainVar+"=20ms", orphanVar+"="+grace.String())
		signalPid(t, f.cmd.Process.Pid, syscall.SIGKILL)
		f.extinct(orphanLimit - defaultOrphanGrace + grace)
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	for range 5 {
		// The usual grace can be short for children that wait for a processor.
		for grace := defaultOrphanGrace; ; grace *= 2 {
			n := committed(grace)
			if n == children {
				break
			}
			if t.Logf("%d of %d children committed in %v", n, children, grace); grace > 4*time.Second {
				t.Fatal("not even that was enough")
			}
		}
	}
}

func TestChildrenThatAreFrozenDieWithTheirParentToo(t *testing.T) {
	f := start(t, "parent", "forker", 2)
	for _, p := range f.children() {
		f.freeze(p.pid)
	}
	signalPid(t, f.cmd.Process.Pid, syscall.SIGKILL)
	f.extinct(orphanLimit)
}

func TestAParentThatWasFrozenBlamesNoChildForThePause(t *testing.T) {
	const timeout = 2 * time.Second // also a busy machine lets a child say something in it
	f := start(t, "parent", "worker", 2, heartbeatVar+"="+timeout.String())
	before := f.children()
	signalPid(t, f.cmd.Process.Pid, syscall.SIGSTOP)
	<-time.After(timeout * 3 / 2)
	signalPid(t, f.cmd.Process.Pid, syscall.SIGCONT)
	<-time.After(time.Second)
	if after := f.children(); fmt.Sprint(pids(before)) != fmt.Sprint(pids(after)) {
		t.Errorf("children before %v, after %v", pids(before), pids(after))
	}
	f.endBy(syscall.SIGTERM)
}

func pids(list []procInfo) []int {
	var numbers []int
	for _, p := range list {
		numbers = append(numbers, p.pid)
	}
	slices.Sort(numbers)
	return numbers
}

func TestRandomKillsOfParentAndChildrenLeaveNothingBehind(t *testing.T) {
	random := rand.New(rand.NewPCG(randomtest.Seed(t), 0))
	left := kills()
	for round := 0; left > 0; round++ {
		left -= turmoil(t, random, round)
	}
}

// turmoil is one family: some random signals to its children, each followed by
// a check, and one to its parent at the end. It returns how many signals it sent.
func turmoil(t *testing.T, random *rand.Rand, round int) int {
	t.Helper()
	const slots = 3
	f := start(t, "parent", []string{"worker", "forker"}[random.IntN(2)], slots, drainVar+"=20ms")
	sent := 0
	var frozen []int
	for range random.IntN(6) {
		children := f.children()
		if len(children) == 0 {
			continue
		}
		victim := children[random.IntN(len(children))]
		sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGSTOP}[random.IntN(3)]
		sent++
		if sig == syscall.SIGSTOP {
			signalPid(t, victim.pid, sig)
			frozen = append(frozen, victim.pid)
			continue
		}
		signalPid(t, victim.pid, sig)
		if random.IntN(2) == 0 {
			continue // the next signal comes at once
		}
		eventually(t, "the slot is filled again", func() bool {
			now := f.children()
			for _, p := range now {
				if p.pid == victim.pid {
					return slices.Contains(frozen, victim.pid)
				}
			}
			return len(now) == slots
		})
	}
	sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGSTOP}[random.IntN(3)]
	t.Logf("round %d: %d signals to children, then %v to the parent", round, sent, sig)
	f.endBy(sig)
	f.checkExits(slots, sig != syscall.SIGKILL)
	return sent + 1
}

// checkExits checks that no end was seen twice, none was left out, and, if the
// parent ended in order, that there is one for every slot.
func (f *family) checkExits(slots int, inOrder bool) {
	f.t.Helper()
	exits := f.exits()
	for slot := range slots {
		generation := 1
		for ; exits[fmt.Sprintf("%d %d", slot, generation)] > 0; generation++ {
			key := fmt.Sprintf("%d %d", slot, generation)
			if exits[key] != 1 {
				f.t.Errorf("the end of slot and generation %s was seen %d times", key, exits[key])
			}
			delete(exits, key)
		}
		if inOrder && generation == 1 {
			f.t.Errorf("no end of slot %d was seen", slot)
		}
	}
	if len(exits) > 0 {
		f.t.Errorf("ends after a gap: %v", exits)
	}
}

// endBy ends the parent with a signal and checks what it leaves.
func (f *family) endBy(sig syscall.Signal) {
	f.t.Helper()
	pid := f.cmd.Process.Pid
	signalPid(f.t, pid, sig)
	switch sig {
	case syscall.SIGKILL:
		f.extinct(orphanLimit)
		return
	case syscall.SIGSTOP:
		// A stopped parent must not cost its children their lives, nor itself
		// its judgement afterwards.
		signalPid(f.t, pid, syscall.SIGCONT)
		signalPid(f.t, pid, syscall.SIGTERM)
	}
	eventually(f.t, "the parent ends", func() bool { return isClosed(f.ended) })
	// What had to be killed is not only signalled but reaped.
	f.extinct(orphanLimit)
	if n := strings.Count(f.stderr.String(), `"msg":"stop report"`); n != 1 {
		f.t.Errorf("%d stop reports\n%s", n, f.stderr)
	}
	// Nobody stopped clean who was struck in the last moment; that costs work, and
	// the exit code is another, only if the child had been ready.
	switch code := f.cmd.ProcessState.ExitCode(); code {
	case lifecycle.ExitClean:
	case lifecycle.ExitError, lifecycle.ExitDeadline:
		if !strings.Contains(f.stderr.String(), "test/") {
			f.t.Errorf("exit code %d, and the report names no child\n%s", code, f.stderr)
		}
	default:
		f.t.Errorf("exit code %d\n%s", code, f.stderr)
	}
}
