//go:build unix

package creds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// FileStore is a [Store] in a file, for the processes of one user on one
// machine: for a command line tool, for example. The file is always replaced as
// a whole and has mode 0600; a file that others may read is refused. A file
// with the suffix .lock is kept beside it, and one with .tmp while it is
// written. FileStore exists on Unix only, and needs a file system with flock.
type FileStore struct{ path string }

// NewFileStore returns a store in the file path, whose folder must exist.
func NewFileStore(path string) *FileStore { return &FileStore{path: path} }

// lockPoll is how often a lock is tried that somebody holds.
const lockPoll = 5 * time.Millisecond

// held is what the file holds. Tokens are plain text here and nowhere else.
type held struct {
	AccessToken     string    `json:"access_token"`
	AccessExpiresAt time.Time `json:"access_expires_at,omitzero"`
	RefreshToken    string    `json:"refresh_token"`
	RetryKey        string    `json:"retry_key,omitempty"`
}

// Load implements Store.
func (s *FileStore) Load(context.Context) (Pair, error) { return s.read() }

// Replace implements Store.
func (s *FileStore) Replace(ctx context.Context, sent, next Pair) (bool, error) {
	var mine bool
	err := s.locked(ctx, func() error {
		now, err := s.read()
		if err != nil && !errors.Is(err, ErrSignedOut) {
			return err
		}
		if !now.holds(sent) {
			return nil
		}
		mine = true
		return s.write(next)
	})
	return mine && err == nil, err
}

// Save stores p whatever the file held before, for example after a login.
func (s *FileStore) Save(ctx context.Context, p Pair) error {
	return s.locked(ctx, func() error { return s.write(p) })
}

func (s *FileStore) read() (Pair, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Pair{}, ErrSignedOut
	}
	if err != nil {
		return Pair{}, fmt.Errorf("session file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return Pair{}, fmt.Errorf("session file: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return Pair{}, fmt.Errorf("session file %s: others may read it (mode %04o)", s.path, info.Mode().Perm())
	case info.Size() > maxFileBytes:
		return Pair{}, fmt.Errorf("session file %s: too long", s.path)
	}
	var h held
	// The cause may quote the content, so it is not wrapped.
	if json.NewDecoder(f).Decode(&h) != nil || h.RefreshToken == "" {
		return Pair{}, fmt.Errorf("session file %s: does not hold a session", s.path)
	}
	return Pair{
		Access:   Token{Value: token.Raw(h.AccessToken), ExpiresAt: h.AccessExpiresAt},
		Refresh:  token.Raw(h.RefreshToken),
		RetryKey: token.Raw(h.RetryKey),
	}, nil
}

// write replaces the file, so that a crash leaves the old or the new one: what
// was lost could not be refreshed any more. Only who has the lock writes, so
// there is one temporary file, and one that is there was left by a crash.
func (s *FileStore) write(p Pair) error {
	temp := s.path + ".tmp"
	if err := remove(temp); err != nil {
		return err
	}
	if p.Refresh == "" {
		if err := remove(s.path); err != nil {
			return err
		}
		return syncFolder(filepath.Dir(s.path))
	}
	data, err := json.Marshal(held{
		AccessToken: string(p.Access.Value), AccessExpiresAt: p.Access.ExpiresAt,
		RefreshToken: string(p.Refresh), RetryKey: string(p.RetryKey),
	})
	if err != nil {
		return errors.New("session file: encoding failed")
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // not one that somebody else put there
	if err != nil {
		return fmt.Errorf("session file: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, s.path)
	}
	if err != nil {
		return fmt.Errorf("session file: %w", errors.Join(err, os.Remove(temp)))
	}
	return syncFolder(filepath.Dir(s.path))
}

// remove deletes a file, if it is there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("session file: %w", err)
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("session file: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("session file: %w", err)
	}
	return nil
}

// locked calls f while no other process or goroutine has the lock.
func (s *FileStore) locked(ctx context.Context, f func() error) (err error) {
	lock, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("session file: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // which lets go of the lock
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("session file: lock: %w", err)
		}
		if err := sleep(ctx, lockPoll); err != nil {
			return fmt.Errorf("session file: lock: %w", err)
		}
	}
}
