package guard

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal is the controlling terminal, if this process is in its foreground.
// The nil terminal does nothing.
type terminal struct{ fd int }

func foreground() *terminal {
	fd := int(os.Stdin.Fd())
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return nil
	}
	return &terminal{fd: fd}
}

// lend puts the child's process group into the foreground, so that it may read
// and an interrupt reaches it, as from a shell.
func (t *terminal) lend(attr *syscall.SysProcAttr) {
	if t != nil {
		attr.Foreground, attr.Ctty = true, t.fd
	}
}

// takeBack returns the terminal to this process's group.
func (t *terminal) takeBack() {
	if t == nil {
		return
	}
	// A background group that sets the foreground one is stopped otherwise.
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, unix.Getpgrp()) // Without a terminal there is nothing to do.
}
