// Package account finds the unprivileged account under which foreign servers
// run when this process is root.
//
// PostgreSQL and OpenSearch refuse to run as root, and rightly so: they are
// started with the credential of this account, who then has to own their state
// folder and be able to walk to it.
package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// ErrUnreachable reports that the account cannot walk to a folder because one
// of its parents is closed to it.
var ErrUnreachable = errors.New("folder cannot be reached by the unprivileged account")

// Account is an operating-system account. The nil Account means "the account
// of this process", so that callers need not distinguish the two.
type Account struct {
	Name     string
	UID, GID uint32
}

// Unprivileged returns nil when this process is not root: nothing has to be
// dropped then. As root it returns the first of the accounts postgres, nobody
// and daemon that exists.
func Unprivileged() (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // The nil Account is the documented "own account".
	}
	for _, name := range []string{"postgres", "nobody", "daemon"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		return &Account{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return nil, errors.New("this process is root and the machine has none of the accounts postgres, nobody, daemon: " +
		"run as an ordinary user, or add one with `useradd --system postgres`")
}

// Credential returns what SysProcAttr needs to start a process under the
// account, nil for the account of this process. Supplementary groups are
// dropped too.
func (a *Account) Credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.UID, Gid: a.GID}
}

// Own makes the folder, with mode 0700, and gives it and everything in it to
// the account.
func (a *Account) Own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	if a == nil {
		return nil
	}
	// Root confines the walk: the account owns links in there and could point
	// them elsewhere meanwhile.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the state folder: %w", err)
	}
	err = fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(path, int(a.UID), int(a.GID))
	})
	if err = errors.Join(err, root.Close()); err != nil {
		return fmt.Errorf("give the state folder to %s: %w", a.Name, err)
	}
	return nil
}

// Reach returns an error that matches ErrUnreachable and names the closed
// parent when the account cannot walk to the folder. The folder itself need
// not exist.
func (a *Account) Reach(dir string) error {
	if a == nil {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("resolve the folder: %w", err)
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("inspect a parent folder: %w", err)
		}
		if err == nil && !a.mayWalk(info) {
			return fmt.Errorf("%w: %s is closed to %s", ErrUnreachable, parent, a.Name)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

func (a *Account) mayWalk(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && st.Uid == a.UID:
		return mode&0o100 != 0
	case ok && st.Gid == a.GID:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}
