package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const planted = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl"

func TestARunThatShowsASecretFailsAndItsOutputIsPassedOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte("token="+planted), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		input  string
		args   []string
		status int
		says   string
	}{
		"nothing":             {"ok  	package\n", nil, 0, "ok  	package"},
		"a token in the end":  {"panic: " + planted, nil, 1, "the run wrote a JWT"},
		"a token in a file":   {"", []string{file}, 1, file + " wrote a JWT"},
		"a password of tests": {"login correct horse battery\n", nil, 1, "password of a test"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), binary, append([]string{"scan"}, tc.args...)...)
			cmd.Stdin = strings.NewReader(tc.input)
			out, _ := cmd.CombinedOutput()
			text := strings.Join(strings.Fields(string(out)), " ")
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tc.status || !strings.Contains(text, strings.Join(strings.Fields(tc.says), " ")) {
				t.Errorf("%v: %s", cmd.ProcessState, out)
			}
			if tc.input != "" && !strings.Contains(string(out), strings.TrimSpace(tc.input)) {
				t.Errorf("the output was not passed on: %s", out)
			}
		})
	}
}
