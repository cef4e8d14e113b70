// Package models runs the checked models of docs/models: small instances in CI,
// everything in a soak.
package models

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const folder = "../../docs/models/revocation"

// one is the smallest instance of the leased feed: a server, a watcher, a
// revocation.
const one = "-DNW=1 -DNREV=1 -DONCE"

// rows is the smallest one with leases of two levels.
const rows = "-DNA=1 -DNOACRASH"

// broken are the rules of docs/models/revocation/findings.md whose removal
// shows soon: each must have its counterexample. A soak removes them all.
var broken = []struct{ rule, model, switches string }{ //nolint:gochecknoglobals // A table.
	{"register the watcher, then read head and snapshot", "revocation.pml", one + " -DAB_READ_FIRST"},
	{"publish, then acknowledge", "revocation.pml", one + " -DAB_ACK_FIRST"},
	{"a grant is ordered after the events", "revocation.pml", one + " -DAB_OVERTAKE"},
	{"a slow consumer loses the stream and no event", "revocation.pml", one + " -DQW=1 -DAB_QUEUE_DROP"},
	{"the deadline is recorded before the grant is written", "revocation.pml", one + " -DAB_LATE_RECORD"},
	{"the event is written before the barrier looks", "revocation.pml", one + " -DAB_EARLY_BARRIER"},
	{"watchers are listed after the commit", "revocation.pml", one + " -DAB_LIST_EARLY"},
	{"after a restart one lease is waited for", "revocation.pml", one + " -DAB_NOWAIT"},
	{"no lease outlives the oldest event unacknowledged", "revocation.pml", one + " -DBOUND -DAB_NOCAP"},
	{"a server grants only under its own row lease", "revocation2.pml", rows + " -DAB_ZOMBIE"},
	{"lease_until is capped by the oldest rule above the watermark", "revocation2.pml", rows + " -DAB_NOROWCAP -DBOUND"},
	{"register the call, then check", "inflight.pml", "-DAB_CHECK_FIRST"},
	{"publish, then cancel", "inflight.pml", "-DAB_SWEEP_FIRST"},
	{"cancel, then acknowledge", "inflight.pml", "-DAB_ACK_BEFORE_SWEEP"},
	{"look at the lease, then at the set", "inflight.pml", "-DAB_SET_THEN_LEASE"},
	{"the epoch is of the row that was verified", "mint.pml", "-DAB_REREAD"},
	{"exp counts from that read", "mint.pml", "-DAB_LATE_EXP"},
	{"an integer epoch and not iat", "mint.pml", "-DAB_IAT"},
	{"a rule lives as long as a token", "mint.pml", "-DAB_RULE_SHORT"},
}

func TestEachRuleOfTheFeedHasACounterexampleWhenItIsRemoved(t *testing.T) {
	t.Parallel()
	for _, b := range broken {
		t.Run(b.rule, func(t *testing.T) {
			t.Parallel()
			if got := check(t, b.model, b.switches, "-O1 -DBFS -DSAFETY -DCOLLAPSE -DMEMLIM=4000", ""); got != "1" {
				t.Errorf("without the rule: errors=%s, want a counterexample", got)
			}
		})
	}
}

func TestTheModelsOfTheFeedHoldWithAllRules(t *testing.T) {
	t.Parallel()
	for _, model := range []struct{ name, switches, pan string }{
		{"inflight.pml", "", "-E"},
		{"mint.pml", "", "-E"},
		{"revocation.pml", one + " -DBOUND", "-m20000"},
	} {
		t.Run(model.name, func(t *testing.T) {
			t.Parallel()
			if got := check(t, model.name, model.switches, "-O1 -DSAFETY -DCOLLAPSE -DMEMLIM=4000", model.pan); got != "0" {
				t.Errorf("errors=%s", got)
			}
		})
	}
}

func TestASoakChecksEveryInstanceAndRemovesEveryRule(t *testing.T) {
	if os.Getenv("CURFEW_TEST_SIZE") != "soak" {
		return
	}
	for _, script := range []string{"check.sh", "ablations.sh"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(workshop(t), script))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}

var outcome = regexp.MustCompile(`errors=(\d+) `)

// check runs one check and returns the number of errors it found. A search that
// was cut off finds nothing.
func check(t *testing.T, model, switches, cc, pan string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(workshop(t), "run.sh"), "check", model, switches, cc, pan)
	out, err := cmd.CombinedOutput()
	match := outcome.FindStringSubmatch(string(out))
	if err != nil || match == nil || match[1] == "0" && strings.Contains(string(out), "|") {
		t.Fatalf("%s %s: %v: %s", model, switches, err, out)
	}
	return match[1]
}

// workshop is a copy of the models: checks write beside them.
func workshop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	return dir
}
