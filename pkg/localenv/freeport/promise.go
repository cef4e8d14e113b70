package freeport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// promises are the ports that this process was given. The kernel knows them as
// locks on bytes of a file that all processes of a user share, and forgets them
// with the process, however it ends.
type promises struct {
	mu    sync.Mutex
	open  bool
	file  *os.File // nil where there is none: then only this process is told
	given map[int]bool
}

// promised is never closed: these locks end with the first Close of the file.
var promised = promises{given: map[int]bool{}}

// take promises the port to this process and tells whether it could: a port
// that was promised before, here or elsewhere, is not.
func (p *promises) take(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.given[port] {
		return false // The kernel would grant the lock to its holder again.
	}
	if !p.open {
		p.open = true
		name := filepath.Join(os.TempDir(), fmt.Sprintf("curfew-ports-%d", os.Getuid()))
		p.file, _ = os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // The name is ours.
	}
	if p.file != nil {
		lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: int64(port), Len: 1}
		if err := syscall.FcntlFlock(p.file.Fd(), syscall.F_SETLK, &lock); errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
			return false // Somebody else has it; no other error is about the port.
		}
	}
	p.given[port] = true
	return true
}
