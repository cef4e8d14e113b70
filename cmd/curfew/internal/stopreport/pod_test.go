package stopreport

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cluster is a kubectl that notes how it was called and prints a file.
func cluster(t *testing.T, name, answer string, status int) (kubectl string, args func() string) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >%[1]s/args\ncat %[1]s/answer\nexit %[2]d\n", dir, status)
	kubectl = filepath.Join(dir, name)
	for file, content := range map[string]string{kubectl: script, filepath.Join(dir, "answer"): answer} {
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	return kubectl, func() string {
		said, err := os.ReadFile(filepath.Join(dir, "args"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(said))
	}
}

func TestTheStopsOfPodsAreDrawnFromTheirTerminationMessages(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	for name, want := range map[string]string{
		"pods":  "get pods --output=json --namespace=shop --selector=app=orders",
		"watch": "get pods --output=json --namespace=shop --selector=app=orders --watch --output-watch-events",
	} {
		answer, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		kubectl, args := cluster(t, "kubectl", string(answer), 0)
		var out, problems bytes.Buffer
		code := Main(&Flags{Pod: "app=orders", Namespace: "shop", Follow: name == "watch", Kubectl: kubectl}, nil, &out, &problems)
		if code != 0 || problems.Len() > 0 {
			t.Errorf("%s: exit status %d: %s", name, code, problems.String())
		}
		if got := args(); got != want {
			t.Errorf("%s: kubectl %s, want %s", name, got, want)
		}
		golden(t, "testdata/"+name+".json.golden", out.Bytes())
	}
}

func TestAPodIsAskedForByItsNameAndPrintedAsJSON(t *testing.T) {
	answer, err := os.ReadFile("testdata/pods.json")
	if err != nil {
		t.Fatal(err)
	}
	kubectl, args := cluster(t, "kubectl", string(answer), 0)
	code, out, problems := draw(t, Flags{Pod: "orders-0", JSON: true, Kubectl: kubectl + " --context lab"}, "")
	if got := args(); code != 0 || got != "--context lab get pods --output=json orders-0" {
		t.Errorf("exit status %d, kubectl %s: %s", code, got, problems)
	}
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[0], `{"time":`) {
		t.Errorf("%d lines: %s", len(lines), out)
	}
}

func TestWithoutAnEndOrAClusterThereIsAClearError(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		status int
		want   string
	}{
		"nothing has ended":     {`{"kind":"Pod","metadata":{"name":"orders-0"},"status":{"containerStatuses":[{"state":{"running":{}}}]}}`, 0, "no container of it has ended"},
		"there is no such pod":  {"", 1, "exit status 1"},
		"kubectl prints a page": {"<html>", 0, "read what kubectl prints"},
	} {
		kubectl, _ := cluster(t, "kubectl", c.answer, c.status)
		if code, _, problems := draw(t, Flags{Pod: "orders-0", Kubectl: kubectl}, ""); code != 1 || !strings.Contains(problems, c.want) {
			t.Errorf("%s: exit status %d: %s", name, code, problems)
		}
	}
	if code, _, problems := draw(t, Flags{Pod: "orders-0", Kubectl: "/nowhere/kubectl"}, ""); code != 1 || !strings.Contains(problems, "run kubectl") {
		t.Errorf("no kubectl: exit status %d: %s", code, problems)
	}
	if code, _, problems := draw(t, Flags{Follow: true}, "{}"); code != 1 || !strings.Contains(problems, "--follow is for --pod") {
		t.Errorf("follow what: exit status %d: %s", code, problems)
	}
}
