package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

var binary string

func TestMain(m *testing.M) {
	folder, err := scratch.Make("curfew-localenv-test")
	if err == nil {
		binary = filepath.Join(folder.Path(), "localenv")
		err = exec.Command("go", "build", "-o", binary, ".").Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = folder.Remove()
	os.Exit(code)
}

func localenv(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	raw, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(raw), cmd.ProcessState.ExitCode()
}

func TestAServerComesUpOnceStaysAndGoesDown(t *testing.T) {
	for _, server := range []string{"postgres", "kafka", "redis"} {
		t.Run(server, func(t *testing.T) {
			state, err := scratch.Make("curfew-localenv-state")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = state.Remove() }()
			if err := os.Chmod(state.Path(), 0o711); err != nil {
				t.Fatal(err)
			}
			run := func(verb, want string) {
				t.Helper()
				out, status := localenv(t, "--state", state.Path(), server, verb)
				if status != 0 || !strings.Contains(out, server+" "+want) {
					t.Fatalf("%s: status %d: %s", verb, status, out)
				}
			}
			run("status", "is down")
			run("up", "is up")
			defer func() { _, _ = localenv(t, "--state", state.Path(), server, "down") }()
			run("up", "runs already")
			run("status", "is up")
			info, err := os.Stat(filepath.Join(state.Path(), server, "env"))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("env: %v, %v", info, err)
			}
			run("down", "is down")
			run("down", "is down")
			run("status", "is down")
		})
	}
}

func TestACommandRunsBesideServersAndItsStatusIsReturned(t *testing.T) {
	out, status := localenv(t, "with", "postgres", "--", "sh", "-c", `case $CURFEW_TEST_POSTGRES_URL in postgres://*) exit 7;; esac`)
	if status != 7 {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestAnUnknownServerIsNamed(t *testing.T) {
	out, status := localenv(t, "with", "mysql", "--", "true")
	if status == 0 || !strings.Contains(out, `unknown server "mysql"`) {
		t.Errorf("status %d: %s", status, out)
	}
}
