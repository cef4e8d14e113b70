package supervisor

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// self is the running binary even if the file was replaced since: a child must
// be of the same build as its parent.
func self() (string, error) { return "/proc/self/exe", nil }

// processAttr puts a child into a process group of its own and ties its life
// to the thread that starts it.
func processAttr(credential *syscall.Credential, death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death, Credential: credential}
}

// waitExit returns when the process has ended, and leaves it unreaped: until it
// is reaped its pid and its process group can't belong to anybody else.
func waitExit(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return os.NewSyscallError("waitid", err)
		}
	}
}

// setLimit bounds a resource of another process.
func setLimit(pid int, l Rlimit) error {
	limit := &unix.Rlimit{Cur: l.Soft, Max: l.Hard}
	return os.NewSyscallError("prlimit", unix.Prlimit(pid, l.Resource, limit, nil))
}

// socketpair returns the two ends of a channel; neither survives an exec
// unless it is handed over.
func socketpair() (parent, child *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "supervisor channel"), os.NewFile(uintptr(fds[1]), "child channel"), nil
}
