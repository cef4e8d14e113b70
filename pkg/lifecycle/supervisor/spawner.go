package supervisor

import (
	"errors"
	"os"
	"runtime"
)

// errSpawnerClosed means that a start was asked for after the supervisor ended.
var errSpawnerClosed = errors.New("spawner is closed")

// spawner starts processes from one OS thread that lives as long as it does:
// the kernel sends the death signal of a child when the thread that started it
// ends, not when the process does, and any goroutine that ends locked to a thread
// ends that thread.
type spawner struct {
	work chan func()
	stop chan struct{}
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func()), stop: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	// Never unlocked: the thread ends with the goroutine, and with it, by their
	// death signal, any child that is left.
	runtime.LockOSThread()
	for {
		select {
		case f := <-s.work:
			f()
		case <-s.stop:
			return
		}
	}
}

// start is os.StartProcess on the thread.
func (s *spawner) start(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	var (
		p    *os.Process
		err  error
		done = make(chan struct{})
	)
	work := func() {
		defer close(done)
		p, err = os.StartProcess(path, argv, attr)
	}
	select {
	case s.work <- work:
	case <-s.stop:
		return nil, errSpawnerClosed
	}
	<-done
	return p, err
}

// close ends the thread. It must be called once, after the last start.
func (s *spawner) close() {
	close(s.stop)
	<-s.done
}
