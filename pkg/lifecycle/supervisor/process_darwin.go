package supervisor

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// self is the path of the running binary.
func self() (string, error) { return os.Executable() }

// processAttr puts a child into a process group of its own. There are no death
// signals here: a plain child outlives a killed parent.
func processAttr(credential *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: credential}
}

// waitExit returns when the process has ended, and leaves it unreaped: until it
// is reaped its pid and its process group can't belong to anybody else.
func waitExit(pid int) error {
	const (
		idPid  = 1    // P_PID
		exited = 0x04 // WEXITED
		nowait = 0x20 // WNOWAIT
	)
	var info [16]uint64 // at least the size of siginfo_t
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, idPid, uintptr(pid), uintptr(unsafe.Pointer(&info[0])), exited|nowait, 0, 0)
		if errno == 0 {
			return nil
		}
		if errno != syscall.EINTR {
			return os.NewSyscallError("waitid", errno)
		}
	}
}

// setLimit can't limit another process here.
func setLimit(int, Rlimit) error { return errors.ErrUnsupported }

// socketpair returns the two ends of a channel; neither survives an exec
// unless it is handed over.
func socketpair() (parent, child *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "supervisor channel"), os.NewFile(uintptr(fds[1]), "child channel"), nil
}
