package warden

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// roleVar makes a process a warden.
const roleVar = "CURFEW_SUPERVISOR_WARDEN"

// parentFD is where a warden finds the pipe.
const parentFD = 3

// A warden is that and nothing else: it ends before the program's own
// initialisation has begun.
func init() {
	if os.Getenv(roleVar) == "" {
		return
	}
	// An init system may ask every process of a service to stop. The parent is
	// the one that decides when its warden is not needed any more.
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	watch(os.NewFile(parentFD, "parent"), openGroup)
	syscall.Exit(0) // without the ceremonies of a program that has run
}

// needed tells whether the kernel does not end the children of this process
// with it, as it does for PID 1.
func needed() bool { return os.Getpid() != 1 }

// start starts a warden with an environment and returns the end of the pipe to write to.
func start(env []string) (*os.Process, *os.File, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer closeQuietly(null)
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer closeQuietly(r)
	p, err := os.StartProcess("/proc/self/exe", []string{"supervisor-warden"}, &os.ProcAttr{
		Dir: "/",
		// Of two variables of one name a Go program sees the first.
		Env:   append([]string{roleVar + "=1", "GOMAXPROCS=1"}, env...),
		Files: []*os.File{null, null, null, r},
		Sys: &syscall.SysProcAttr{
			// Beyond the reach of signals to the parent's group and terminal.
			Setsid: true,
			// Should somebody have stopped it, the death of the parent wakes it.
			Pdeathsig: syscall.SIGCONT,
		},
	})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start: %w", err), w.Close())
	}
	return p, w, nil
}

func closeQuietly(f *os.File) { _ = f.Close() }

// pgroup is a process group by the pidfd of its leader, which can't come to mean
// another when numbers are used again.
type pgroup struct{ pgid, fd int }

// openGroup returns the group that a process leads, or by its number if the
// process has ended and is collected: then as long as a process is in the group
// the number is not given away.
func openGroup(pgid int) group {
	fd, err := unix.PidfdOpen(pgid, 0)
	if err != nil {
		fd = -1
	}
	return &pgroup{pgid: pgid, fd: fd}
}

func (g *pgroup) signal(sig syscall.Signal) error {
	const processGroup = 1 << 2 // PIDFD_SIGNAL_PROCESS_GROUP, since Linux 6.9
	if g.fd >= 0 {
		if err := unix.PidfdSendSignal(g.fd, sig, nil, processGroup); !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return unix.Kill(-g.pgid, sig)
}

func (g *pgroup) wake()      { _ = g.signal(unix.SIGCONT) }
func (g *pgroup) kill()      { _ = g.signal(unix.SIGKILL) }
func (g *pgroup) gone() bool { return errors.Is(g.signal(0), unix.ESRCH) }

func (g *pgroup) free() {
	if g.fd >= 0 {
		_ = unix.Close(g.fd)
		g.fd = -1
	}
}
