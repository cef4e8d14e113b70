package supervisor

import (
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The death signal comes when the thread that started the child ends. So that
// thread must be the spawner's alone, however many others come and go.
func TestNoThreadThatEndsTakesAChildAlong(t *testing.T) {
	s := newSpawner()
	defer s.close()
	var threads []int
	thread := func() {
		done := make(chan struct{})
		s.work <- func() {
			defer close(done)
			threads = append(threads, unix.Gettid())
		}
		<-done
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	thread()
	child, err := s.start("/bin/cat", []string{"cat"}, &os.ProcAttr{
		Files: []*os.File{r, w}, Sys: processAttr(nil, syscall.SIGKILL),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		endThreads(64)
		thread()
	}
	// The end of its input ends the child, if no signal has.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_ = child.Signal(syscall.SIGTERM)
	state, err := child.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("the child ended before: %v", state)
	}
	if slices.Sort(threads); threads[0] != threads[len(threads)-1] {
		t.Errorf("children are started by threads %v", slices.Compact(threads))
	}
}

// endThreads ends that many threads of this process at once: more than there
// are, so that every one that nobody holds is among them.
func endThreads(n int) {
	var started, ended sync.WaitGroup
	release := make(chan struct{})
	for range n {
		started.Add(1)
		ended.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			started.Done()
			<-release
		})
	}
	started.Wait()
	close(release)
	ended.Wait()
}

func TestAClosedSpawnerStartsNothing(t *testing.T) {
	s := newSpawner()
	s.close()
	if _, err := s.start("/bin/true", []string{"true"}, &os.ProcAttr{}); err == nil {
		t.Error("it did")
	}
}
