// Package platform tests the running platform from outside: `curfew dev` with
// two replicas of orders, the real binaries, real PostgreSQL, real signals.
package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
)

// platform is what the tests of this package share.
var platform *stand.Stand

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		os.Exit(role(os.Args[1:]))
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		code = 1
	}
	os.Exit(leak.Exit(code, os.Stderr))
}

const (
	readyLimit = 3 * time.Minute // with binaries to download
	stopLimit  = time.Minute
)

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "curfew-platform-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return 0, err
	}
	bin, err := binaries(dir)
	if err != nil {
		return 0, err
	}
	state := filepath.Join(dir, "state")
	dev := exec.Command(filepath.Join(bin, "curfew"), "dev", "--port", "0", "--state-dir", state, "--orders-replicas", "2")
	log, err := os.Create(filepath.Join(dir, "dev.log"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	dev.Stdout, dev.Stderr = log, log
	if err := dev.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- dev.Wait() }()
	defer func() {
		if stopErr := stop(dev, ended); stopErr != nil && err == nil {
			err = fmt.Errorf("%w\n%s", stopErr, tail(log.Name()))
		}
		err = errors.Join(err, leak.File(log.Name()), lookThrough(filepath.Join(state, "curfew.log")))
	}()
	if err := ready(filepath.Join(state, "env"), ended); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, tail(log.Name()))
	}
	os.Setenv("CURFEW_BIN_DIR", bin)
	if platform, err = stand.FromEnvironment(); err != nil {
		return 0, err
	}
	if code = m.Run(); code != 0 {
		fmt.Fprintln(os.Stderr, tail(log.Name()))
	}
	return code, nil
}

// lookThrough looks for secrets in the log of the services, where unlike in the
// greeting of `curfew dev` its passwords must not be either.
func lookThrough(log string) error {
	leak.Secret("password of curfew dev", os.Getenv("CURFEW_CUSTOMER_PASSWORD"))
	leak.Secret("password of curfew dev", os.Getenv("CURFEW_ADMIN_PASSWORD"))
	return leak.File(log)
}

// binaries returns the folder of the binaries: CURFEW_BIN_DIR, or one that is built now.
func binaries(dir string) (string, error) {
	if bin := os.Getenv("CURFEW_BIN_DIR"); bin != "" {
		return bin, nil
	}
	bin := filepath.Join(dir, "bin")
	for _, pkg := range []string{
		"services/auth/cmd/auth", "services/orders/cmd/orders", "services/logproc/cmd/logproc", "cmd/curfew", "e2e/cmd/stories",
	} {
		build := exec.Command("go", "build", "-o", filepath.Join(bin, filepath.Base(pkg)), "github.com/curfew-platform/curfew/"+pkg)
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return bin, nil
}

var export = regexp.MustCompile(`(?m)^export ([A-Z_]+)='?([^'\n]*)'?$`)

// ready waits for the file of exports and takes it into this process.
func ready(file string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			content, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			for _, m := range export.FindAllStringSubmatch(string(content), -1) {
				os.Setenv(m[1], m[2])
			}
			return nil
		case err := <-ended:
			return fmt.Errorf("curfew dev ended before it was ready: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("curfew dev is not ready after %v", readyLimit)
		}
	}
}

// stop ends the platform as Ctrl-C does; a clean end is part of the test.
func stop(dev *exec.Cmd, ended <-chan error) error {
	if err := dev.Process.Signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("stop curfew dev: %w", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("curfew dev did not stop clean: %w", err)
		}
		return nil
	case <-time.After(stopLimit):
		_ = dev.Process.Kill()
		return fmt.Errorf("curfew dev did not stop within %v", stopLimit)
	}
}

func tail(file string) string {
	content, _ := os.ReadFile(file)
	lines := strings.Split(string(content), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}
