package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func refused(t *testing.T, dir, want string, args ...string) {
	t.Helper()
	e := begin(t, dir, nil, args...)
	if got := e.status(); got == 0 {
		t.Errorf("%v: exit status 0", args)
	}
	if !strings.Contains(e.stderr.String(), want) {
		t.Errorf("%v: got %q, want %q", args, e.stderr.String(), want)
	}
}

func TestASecondRunOnTheSameStateFolderIsToldWhoHoldsIt(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	e := begin(t, dir, nil, "--port", "0")
	e.ready()
	refused(t, dir, fmt.Sprintf("state folder is in use: process %d runs on", e.cmd.Process.Pid), "--port", "0")
}

func TestATakenPortIsNamed(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	taken := lis.Addr().(*net.TCPAddr).Port
	refused(t, stateDir(t), fmt.Sprintf("port %d (auth) is taken", taken), "--port", fmt.Sprint(taken))
}

func TestAFolderOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, "holds precious and is no state folder", "--reset")
	refused(t, precious, "is no folder")
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestWrongFlagsAreUsageErrors(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--port has to be":            {"--port", "99999"},
		"--orders-replicas has to be": {"--orders-replicas", "0"},
		"--grace has to be":           {"--grace", "1s"},
		"unknown flag":                {"--prot", "0"},
	} {
		e := begin(t, stateDir(t), nil, args...)
		if got := e.status(); got != 2 {
			t.Errorf("%v: exit status %d", args, got)
		}
		if !strings.Contains(e.stderr.String(), want) {
			t.Errorf("%v: got %q", args, e.stderr.String())
		}
	}
}

func TestACommandThatDoesNotExistIsReportedAsByAShell(t *testing.T) {
	t.Parallel()
	e := begin(t, stateDir(t), nil, "--port", "0", "--", "curfew-no-such-command")
	if got := e.status(); got != 127 {
		t.Errorf("exit status %d", got)
	}
}

// An empty variable is how a setting is turned off where variables cannot be
// taken away; as a path it was the working directory.
func TestTheProgramSaysItsVersionAndTakesAnEmptyPathForNone(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), binary, "--version").Output(); err != nil || !strings.HasPrefix(string(out), "curfew ") {
		t.Errorf("%q, %v", out, err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "revocations", "--auth-addr=127.0.0.1:1", "--auth-tls-ca=", "--token-file="+filepath.Join(t.TempDir(), "none")).CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "curfew revocations: read the token: ") {
		t.Errorf("%q, %v", out, err)
	}
}
