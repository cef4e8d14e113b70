package supervisor

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/randomtest"
)

// Here parent and child get their signals in the same instant, so that neither
// can see to what the other leaves. The warden does.
func TestNothingOutlivesAParentWhoseChildrenAreStruckInTheSameInstant(t *testing.T) {
	for _, c := range []struct {
		name, child string
		sig         syscall.Signal
		parentFirst bool
	}{
		{"children killed, then the parent", "forker", syscall.SIGKILL, false},
		{"the parent killed, then the children", "forker", syscall.SIGKILL, true},
		{"children stopped, then the parent killed", "forker", syscall.SIGSTOP, false},
		{"the parent killed, then children stopped", "forker", syscall.SIGSTOP, true},
		{"a plain program with a descendant that does not notice", "plain forker", syscall.SIGKILL, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range kills() / 15 {
				f := start(t, "parent", c.child, 2)
				children, parent := f.children(), f.cmd.Process.Pid
				if len(children) != 2 {
					t.Fatalf("%d children", len(children))
				}
				if c.parentFirst {
					signalPid(t, parent, syscall.SIGKILL)
				}
				for _, p := range children {
					signalPid(t, p.pid, c.sig)
				}
				if !c.parentFirst {
					signalPid(t, parent, syscall.SIGKILL)
				}
				f.extinct(orphanLimit)
			}
		})
	}
}

func TestNothingOutlivesAParentThatIsKilledAtAnyMomentOfItsStart(t *testing.T) {
	random := rand.New(rand.NewPCG(randomtest.Seed(t), 0))
	for range kills() / 5 {
		f := launchFamily(t, "parent", "forker", 2)
		<-time.After(startMoment(random))
		signalPid(t, f.cmd.Process.Pid, syscall.SIGKILL)
		f.extinct(orphanLimit)
	}
}

// startMoment is somewhere in the start of a family.
func startMoment(random *rand.Rand) time.Duration {
	return time.Duration(random.Int64N(int64(80 * time.Millisecond)))
}

func TestAWardenThatIsKilledIsReplacedAndOneThatIsStoppedStillServes(t *testing.T) {
	f := start(t, "parent", "forker", 2)
	warden := f.warden()
	signalPid(t, warden, syscall.SIGKILL)
	var next int
	eventually(t, "another warden knows the groups", func() bool {
		next = f.warden()
		return next != warden && guarded(next) == 2
	})
	f.freeze(next)
	for _, p := range f.children() {
		signalPid(t, p.pid, syscall.SIGKILL)
	}
	signalPid(t, f.cmd.Process.Pid, syscall.SIGKILL)
	f.extinct(orphanLimit)
}

// guarded tells how many groups a warden holds.
func guarded(warden int) int {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", warden))
	n := 0
	for _, name := range names {
		if link, _ := os.Readlink(name); strings.Contains(link, "pidfd") {
			n++
		}
	}
	return n
}

// warden returns the pid of the parent's warden; 0 if there is none.
func (f *family) warden() int {
	for _, p := range f.living() {
		if p.ppid == f.cmd.Process.Pid && p.warden {
			return p.pid
		}
	}
	return 0
}
