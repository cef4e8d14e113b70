package observability

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/observability/prometheusrule.yaml")

// folder is where the rules are.
var folder = filepath.Join(root, "deploy", "observability")

func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := tool("promtool")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
	}
}

func TestPrometheusTakesTheRules(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", filepath.Join(folder, "rules.yaml"))
}

func TestTheAlertsFireWhenTheyShouldAndOnlyThen(t *testing.T) {
	tests, err := filepath.Glob(filepath.Join(folder, "tests", "*.yaml"))
	if err != nil || len(tests) == 0 {
		t.Fatal("there are no tests of rules", err)
	}
	promtool(t, append([]string{"test", "rules"}, tests...)...)
	var cases string
	for _, name := range tests {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cases += string(content)
	}
	for _, alert := range alerts(t) {
		fires := strings.Count(cases, `- name: "`+alert.name+`: fires"`)
		all := strings.Count(cases, `- name: "`+alert.name+`: `)
		if fires != 1 || all < 2 {
			t.Errorf("%s is seen firing %d times, and silent %d times", alert.name, fires, all-fires)
		}
	}
}

type alert struct{ group, name, text string }

var (
	groupLine = regexp.MustCompile(`(?m)^- name: curfew-(\S+)$`)
	alertLine = regexp.MustCompile(`(?m)^  - alert: (\S+)$`)
)

// alerts are those of the rules.
func alerts(t *testing.T) []alert {
	t.Helper()
	rules := read(t, "deploy", "observability", "rules.yaml")
	var list []alert
	at, groups := alertLine.FindAllStringSubmatchIndex(rules, -1), groupLine.FindAllStringSubmatchIndex(rules, -1)
	group := ""
	for i, m := range at {
		for len(groups) > 0 && groups[0][0] < m[0] {
			group, groups = rules[groups[0][2]:groups[0][3]], groups[1:]
		}
		end := len(rules)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		list = append(list, alert{group: group, name: rules[m[2]:m[3]], text: rules[m[0]:end]})
	}
	if len(list) < 20 {
		t.Fatalf("%d alerts were found", len(list))
	}
	return list
}

// A runbook says what users feel, where to look first, and what to do. Each
// group of alerts has a page of them.
func TestEveryAlertHasARunbook(t *testing.T) {
	all := alerts(t)
	for _, a := range all {
		book := read(t, "docs", "runbooks", a.group+".md")
		url := "runbook_url: https://github.com/curfew-platform/curfew/blob/main/docs/runbooks/" + a.group + ".md#" + strings.ToLower(a.name) + "\n"
		if !strings.Contains(a.text, url) {
			t.Errorf("%s does not lead to its runbook", a.name)
		}
		if !strings.Contains(a.text, "severity: warning}") && !strings.Contains(a.text, "severity: critical}") {
			t.Errorf("%s has no severity", a.name)
		}
		_, section, found := strings.Cut(book, "\n## "+a.name+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found {
			t.Errorf("docs/runbooks/%s.md has no section %s", a.group, a.name)
			continue
		}
		for _, part := range []string{"**Means.**", "**Users.**", "**Look.**", "**Causes.**", "**Do.**"} {
			if !strings.Contains(section, part) {
				t.Errorf("the runbook of %s has no %s", a.name, part)
			}
		}
	}
	list := read(t, "docs", "runbooks", "README.md")
	for _, a := range all {
		if !strings.Contains(list, "["+a.name+"]("+a.group+".md#"+strings.ToLower(a.name)+")") {
			t.Errorf("docs/runbooks/README.md does not list %s", a.name)
		}
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		group := strings.TrimSuffix(filepath.Base(page), ".md")
		for line := range strings.Lines(read(t, "docs", "runbooks", group+".md")) {
			name, heading := strings.CutPrefix(strings.TrimSpace(line), "## ")
			if heading && group != "README" && !slices.ContainsFunc(all, func(a alert) bool { return a.name == name && a.group == group }) {
				t.Errorf("docs/runbooks/%s.md has a section %s and there is no such alert", group, name)
			}
		}
	}
}

const operatorHead = `# Made from rules.yaml: go test ./observability -run Operator -update (in e2e).
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: curfew
  labels: {app.kubernetes.io/part-of: curfew}
spec:
`

func TestTheOperatorGetsTheSameRules(t *testing.T) {
	want := operatorHead
	for line := range strings.Lines(read(t, "deploy", "observability", "rules.yaml")) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			want += line
		default:
			want += "  " + line
		}
	}
	file := filepath.Join(folder, "prometheusrule.yaml")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, "deploy", "observability", "prometheusrule.yaml"); got != want {
		t.Error("prometheusrule.yaml differs from rules.yaml; run this test with -update")
	}
}
