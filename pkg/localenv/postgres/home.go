package postgres

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/curfew-platform/curfew/pkg/localenv/account"
)

// elsewhere holds the clusters of state folders that the unprivileged account
// cannot reach, such as one below root's home.
const elsewhere = "/var/lib/curfew"

// settle returns the folder that holds the data folder and makes it.
func (c *Cluster) settle() (string, error) {
	home := filepath.Join(c.config.Dir, "postgres")
	if err := os.MkdirAll(c.config.Dir, 0o700); err != nil {
		return "", fmt.Errorf("make the state folder: %w", err)
	}
	err := c.account.Reach(home)
	if errors.Is(err, account.ErrUnreachable) {
		err = c.open()
	}
	if errors.Is(err, account.ErrUnreachable) {
		home, err = c.evade()
	}
	if err != nil {
		return "", err
	}
	return home, c.account.Own(home)
}

// open lets other accounts walk through the state folder, which usually is the
// only closed one (mktemp makes it 0700). Its files stay closed by their own
// modes.
func (c *Cluster) open() error {
	info, err := os.Stat(c.config.Dir)
	if err != nil {
		return fmt.Errorf("inspect the state folder: %w", err)
	}
	parentErr := c.account.Reach(c.config.Dir)
	if parentErr != nil {
		return parentErr
	}
	if err := os.Chmod(c.config.Dir, info.Mode().Perm()|0o111); err != nil {
		return fmt.Errorf("open the state folder to %s: %w", c.account.Name, err)
	}
	return c.account.Reach(filepath.Join(c.config.Dir, "postgres"))
}

// evade places the cluster in a reachable folder. The state folder keeps a
// note with a random mark: a state folder that was removed and made anew must
// not find the data of the earlier one.
func (c *Cluster) evade() (string, error) {
	name := sha256.Sum256([]byte(c.config.Dir))
	home := filepath.Join(elsewhere, hex.EncodeToString(name[:8]))
	note, mark := filepath.Join(c.config.Dir, "postgres.elsewhere"), filepath.Join(home, "mark")
	noted, noteErr := os.ReadFile(note)
	marked, markErr := os.ReadFile(mark)
	if noteErr == nil && markErr == nil && string(noted) == string(marked) {
		return home, nil
	}
	if err := errors.Join(ignoreMissing(noteErr), ignoreMissing(markErr)); err != nil {
		return "", fmt.Errorf("read where the cluster lives: %w", err)
	}
	if err := os.RemoveAll(home); err != nil {
		return "", fmt.Errorf("remove an abandoned cluster: %w", err)
	}
	if err := os.MkdirAll(elsewhere, 0o755); err != nil { //nolint:gosec // Others must walk through it.
		return "", fmt.Errorf("make a reachable folder: %w", err)
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return "", fmt.Errorf("make a reachable folder: %w", err)
	}
	text := []byte(strings.Join([]string{home, rand.Text()}, "\n"))
	if err := errors.Join(os.WriteFile(mark, text, 0o600), os.WriteFile(note, text, 0o600)); err != nil {
		return "", fmt.Errorf("note where the cluster lives: %w", err)
	}
	return home, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
