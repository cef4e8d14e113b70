// Package state keeps what a development environment remembers between runs:
// its secrets, its keys, and the environment that it exports.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrInUse reports that another process holds the folder.
var ErrInUse = errors.New("state folder is in use")

// format is the version of the folder's layout, raised when an older one
// cannot be read any more.
const format = "curfew state 1\n"

const (
	markName = "curfew.state"
	lockName = "lock"
)

// Folder is an open state folder, locked for the life of the process.
type Folder struct {
	path string
	lock *os.File
}

// Open makes the folder if it is not there, and locks it. It refuses a folder
// that holds something else. With reset everything in it is removed first.
//
// A folder that was just released by a kill is waited for, a second long: what
// the killed process had started needs that to end.
func Open(path string, reset bool) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("resolve the state folder: %w", err)
	}
	if err := inspect(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o711); err != nil { //nolint:gosec // PostgreSQL's account walks through it when this is root.
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	f := &Folder{path: path}
	if err := f.acquire(); err != nil {
		return nil, err
	}
	if reset {
		if err := f.empty(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := os.WriteFile(f.Path(markName), []byte(format), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("mark the state folder: %w", err), f.Close())
	}
	return f, nil
}

// Path returns the path of something in the folder.
func (f *Folder) Path(elements ...string) string {
	return filepath.Join(append([]string{f.path}, elements...)...)
}

// Close releases the folder.
func (f *Folder) Close() error { return f.lock.Close() }

// inspect tells whether the path may become or already is a state folder of
// this account.
func inspect(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("inspect the state folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder: choose another --state-dir", path)
	}
	mine, err := os.Stat(filepath.Join(path, markName))
	if err == nil {
		if st, ok := mine.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("the state folder %s was made by the account with uid %d, this process has %d: "+
				"choose another --state-dir, or remove that one", path, st.Uid, os.Geteuid())
		}
	}
	mark, err := os.ReadFile(filepath.Join(path, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return mustBeEmpty(path)
	}
	if err != nil {
		return fmt.Errorf("read the state folder: %w", err)
	}
	if string(mark) != format {
		return fmt.Errorf("the state folder %s was made by another version of curfew: remove it, or choose another --state-dir", path)
	}
	return nil
}

// mustBeEmpty keeps --reset and the files of an environment out of a folder
// that was named by mistake.
func mustBeEmpty(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("read the state folder: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() != lockName {
			return fmt.Errorf("%s holds %s and is no state folder of curfew: choose another --state-dir", path, entry.Name())
		}
	}
	return nil
}

func (f *Folder) acquire() error {
	lock, err := os.OpenFile(f.Path(lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the state folder: %w", err)
	}
	for patience := time.Now().Add(time.Second); ; {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if time.Now().After(patience) {
			holder, _ := os.ReadFile(f.Path(lockName)) // Only for the message.
			return errors.Join(fmt.Errorf("%w: process %s runs on %s: stop it, or choose another --state-dir",
				ErrInUse, strings.TrimSpace(string(holder)), f.path), lock.Close())
		}
		<-time.After(50 * time.Millisecond)
	}
	if err := lock.Truncate(0); err != nil {
		return errors.Join(fmt.Errorf("lock the state folder: %w", err), lock.Close())
	}
	if _, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return errors.Join(fmt.Errorf("lock the state folder: %w", err), lock.Close())
	}
	f.lock = lock
	return nil
}

func (f *Folder) empty() error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return fmt.Errorf("empty the state folder: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(f.Path(entry.Name())); err != nil {
			return fmt.Errorf("empty the state folder: %w", err)
		}
	}
	return nil
}
