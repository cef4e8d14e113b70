// Package scratch makes temporary folders that do not pile up: one whose
// process was killed is removed by the next process that makes one of the kind.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const lockName = "scratch.lock"

// Folder is a temporary folder, locked for the life of its process.
type Folder struct {
	path string
	lock *os.File
}

// Make makes a folder of the kind, a name such as "curfew-pgtest", in the
// system's temporary folder.
func Make(kind string) (*Folder, error) {
	sweep(kind)
	// The folder gets the name that sweep looks for once it is locked.
	unlocked, err := os.MkdirTemp("", "new-"+kind+"-")
	if err != nil {
		return nil, fmt.Errorf("make a scratch folder: %w", err)
	}
	lock, err := hold(unlocked)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(unlocked), strings.TrimPrefix(filepath.Base(unlocked), "new-"))
	if err := os.Rename(unlocked, path); err != nil {
		return nil, fmt.Errorf("place a scratch folder: %w", errors.Join(err, lock.Close()))
	}
	return &Folder{path: path, lock: lock}, nil
}

// Path is the folder's absolute path.
func (f *Folder) Path() string { return f.path }

// Remove removes the folder and everything in it.
func (f *Folder) Remove() error {
	return errors.Join(os.RemoveAll(f.path), f.lock.Close())
}

func hold(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock a scratch folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock a scratch folder: %w", errors.Join(err, lock.Close()))
	}
	return lock, nil
}

// sweep removes abandoned folders. It is best effort: what another process
// holds or another account owns stays.
func sweep(kind string) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), kind+"-*")) // The pattern is valid.
	for _, dir := range dirs {
		lock, err := hold(dir)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(dir)
		_ = lock.Close()
	}
}
