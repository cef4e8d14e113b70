// Package leaktest fails the tests of a package that leave a goroutine behind. The core requires no module, so it does
// not use goleak.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long a goroutine may take to end after the last test.
const patience = 5 * time.Second

// Main runs the tests and returns the exit code for os.Exit: 1 also if goroutines are left.
func Main(m *testing.M) int {
	code := m.Run()
	if left := Left(patience); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		return 1
	}
	return code
}

// Left returns the stacks of the goroutines that are still there after at most wait, without those of the testing and the
// runtime and the one that calls.
func Left(wait time.Duration) []string {
	deadline := time.Now().Add(wait)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left := others()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		<-tick.C
	}
}

func others() []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var left []string
	for _, stack := range strings.Split(string(stacks), "\n\n")[1:] { // the first is this one
		if !harmless(stack) {
			left = append(left, stack)
		}
	}
	return left
}

// harmless are the goroutines of the runtime, of testing, and of os/signal, which keeps one for ever once it was used.
func harmless(stack string) bool {
	for _, name := range []string{"testing.(*M)", "testing.(*T).Run", "testing.tRunner", "testing.runFuzz", "os/signal.loop", "os/signal.signal_recv", "runtime.ensureSigM", "runtime.gcBgMarkWorker"} {
		if strings.Contains(stack, name+"(") || strings.Contains(stack, name) && !strings.Contains(stack, "created by testing.") {
			return true
		}
	}
	return false
}
