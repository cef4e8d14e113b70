package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
)

// initialise makes the data folder. A half-made one, of a run that was killed
// meanwhile, has no PG_VERSION at its place and is removed first.
func (c *Cluster) initialise(ctx context.Context) error {
	if c.config.Progress != nil {
		c.config.Progress("making a PostgreSQL data folder")
	}
	part := c.data() + ".part"
	for _, dir := range []string{part, c.data()} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove an unfinished data folder: %w", err)
		}
	}
	if err := os.WriteFile(c.passwordFile(), []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("write the password file: %w", err)
	}
	if err := c.account.Own(c.home); err != nil {
		return err
	}
	if err := c.initdb(ctx, part); err != nil {
		return err
	}
	if err := os.Rename(part, c.data()); err != nil {
		return fmt.Errorf("finish the data folder: %w", err)
	}
	return nil
}

func (c *Cluster) initdb(ctx context.Context, dir string) error {
	var out bytes.Buffer
	process, err := daemon.Start(daemon.Spec{
		Name: "initdb", Path: filepath.Join(c.binaries.Dir, "initdb"), Dir: c.home, Env: environment(),
		Args: []string{
			"--pgdata=" + dir, "--username=" + Superuser, "--pwfile=" + c.passwordFile(),
			"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
		},
		Credential: c.account.Credential(), Output: &out,
	})
	if err != nil {
		return err
	}
	select {
	case <-process.Exited():
	case <-ctx.Done():
		return process.Stop(ctx)
	}
	if err := process.Err(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

func (c *Cluster) passwordFile() string { return filepath.Join(c.home, "superuser") }

func (c *Cluster) readPassword() (string, error) {
	raw, err := os.ReadFile(c.passwordFile())
	if err != nil {
		return "", fmt.Errorf("read the password file: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// environment keeps the caller's PG* settings, which may point elsewhere, from
// reaching the server, and secrets with them.
func environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
