package main

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/bench/peers/kubelet"
	"github.com/curfew-platform/curfew/bench/peers/scenario"
	"github.com/curfew-platform/curfew/bench/peers/table"
)

var update = flag.Bool("update", false, "write the tables into the page")

// asChild makes the test binary the process that is stopped.
const asChild = "CURFEW_PEERS_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		os.Exit(table.Child(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const page = "../../../../docs/peers.md"

var (
	block = regexp.MustCompile(`(?s)(<!-- peers -->\n\n).*?(\n<!-- end -->)`)
	times = regexp.MustCompile(`\d+\.\d\d s`)
	// A process that panics may yet begin what it never ends, and two goroutines race for its exit code.
	begun  = regexp.MustCompile(`begun, not finished \| _ s`)
	failed = regexp.MustCompile(`(never begun \| - \| after _ s \| exit code) [1-9]\d*`)
)

// outcomes leaves of the tables what is the same in every run.
func outcomes(s string) string {
	s = times.ReplaceAllString(s, "_ s")
	s = begun.ReplaceAllString(s, "never begun | -")
	return failed.ReplaceAllString(s, "$1 not 0")
}

func TestThePageSaysWhatHappensToTheCommit(t *testing.T) {
	tables, err := table.Run(t.Context(), scenario.Scale, func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0], args...)
		cmd.Env = append(os.Environ(), asChild+"=1")
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, tab := range tables {
		parts = append(parts, tab.Markdown())
		// The claim of the page, whatever it says of others.
		want := kubelet.Done
		if tab.Scenario == scenario.Hangs {
			want = kubelet.CutOff
		}
		if ours := tab.Rows[0]; ours.Commit != want || ours.Signal != 0 {
			t.Errorf("%s: our commit is %s, ended by signal %d %v\n%s", tab.Scenario, ours.Commit, ours.Signal, ours.Ended, ours.Log)
		}
		if hand := tab.Rows[len(tab.Rows)-1]; tab.Scenario == scenario.Stuck && (hand.Commit != kubelet.Never || hand.Signal != syscall.SIGKILL) {
			t.Errorf("by hand, with a part that is stuck: commit %s, signal %d: the scenario is blind", hand.Commit, hand.Signal)
		}
	}
	got := strings.Join(parts, "\n")
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		content = block.ReplaceAll(content, []byte("${1}"+got+"${2}"))
		if err := os.WriteFile(page, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := block.FindString(string(content))
	if diff := cmp.Diff(outcomes("<!-- peers -->\n\n"+got+"\n<!-- end -->"), outcomes(found)); diff != "" {
		t.Errorf("outcomes differ from docs/peers.md (times are not compared); -update writes them (-run, +page):\n%s", diff)
	}
}
