package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Scripts read the termination message of a pod through this command.
func TestStopReportReadsWhatKubectlPrints(t *testing.T) {
	in, err := os.Open("internal/stopreport/testdata/describe.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	cmd := exec.CommandContext(t.Context(), binary, "stop-report")
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "stop: abandoned, exit code 3, signal: terminated\n") || !strings.Contains(string(out), "3000 -> 1463") {
		t.Errorf("%v\n%s", err, out)
	}
	for args, want := range map[string]string{
		"stop-report --help":               "kubectl describe pod",
		"stop-report --nonsense":           "unknown flag",
		"stop-report main.go":              `no line has "msg":"stop report"`,
		"stop-report /nowhere/at/all":      "no such file",
		"stop-report --json stopreport.go": "no such file",
	} {
		out, err := exec.CommandContext(t.Context(), binary, strings.Fields(args)...).CombinedOutput() //nolint:gosec // our own
		if failed := err != nil; failed == strings.HasSuffix(args, "--help") || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
}
