package observability

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what the tests look at of one.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type string }
	}
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Datasource  struct{ UID string }
		Targets     []struct {
			RefID, Expr string
			Datasource  struct{ UID string }
		}
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "dashboards", "*.json"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		var d dashboard
		if err := json.Unmarshal([]byte(read(t, "deploy", "observability", "dashboards", filepath.Base(file))), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

func TestADashboardFitsAnyGrafana(t *testing.T) {
	uids := map[string]bool{}
	for file, d := range dashboards(t) {
		if d.UID == "" || uids[d.UID] || d.Title == "" || d.SchemaVersion < 30 {
			t.Errorf("%s: uid %q, title %q, schema %d", file, d.UID, d.Title, d.SchemaVersion)
		}
		uids[d.UID] = true
		if list := d.Templating.List; len(list) == 0 || list[0].Name != "datasource" || list[0].Type != "datasource" {
			t.Errorf("%s: its data source cannot be chosen", file)
		}
		ids := map[int]bool{}
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			if p.ID <= 0 || ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
				t.Errorf("%s: panel %d %q", file, p.ID, p.Title)
			}
			ids[p.ID] = true
			refs := map[string]bool{}
			for _, target := range p.Targets {
				if target.RefID == "" || refs[target.RefID] || target.Datasource.UID != "${datasource}" {
					t.Errorf("%s, %s: target %q", file, p.Title, target.RefID)
				}
				refs[target.RefID] = true
			}
			if p.GridPos.X < 0 || p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s, %s: %+v", file, p.Title, p.GridPos)
			}
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if other := taken[cell]; other != "" {
						t.Fatalf("%s: %s lies on %s", file, p.Title, other)
					}
					taken[cell] = p.Title
				}
			}
		}
	}
}

var variables = strings.NewReplacer("$__rate_interval", "5m", "$job", ".+")

func TestPrometheusUnderstandsEveryPanel(t *testing.T) {
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				if _, err := server.query(t.Context(), variables.Replace(target.Expr)); err != nil {
					t.Errorf("%s, %s: %v", file, p.Title, err)
				}
			}
		}
	}
}

// translated are the names that a metric of the table has in Prometheus.
func (r row) translated(name string) []string {
	name = strings.ReplaceAll(name, ".", "_")
	if suffix := map[string]string{"s": "_seconds", "By": "_bytes", "%": "_percent", "{item}/s": "_per_second"}[r.unit]; !strings.HasSuffix(name, suffix) {
		name += suffix
	}
	switch r.kind {
	case "counter":
		return []string{name + "_total"}
	case "histogram":
		return []string{name + "_bucket", name + "_count", name + "_sum"}
	default:
		return []string{name}
	}
}

func TestPrometheusNamesTheMetricsAsTheRulesDo(t *testing.T) {
	names, err := server.names(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for metric, r := range table(t) {
		for _, name := range r.translated(metric) {
			if !names[name] && !slices.Contains(rare, metric) {
				t.Errorf("Prometheus does not know %s as %s", metric, name)
			}
		}
	}
}

var (
	// word is what may be the name of a metric, ignored where there is none: strings and lists of labels.
	word    = regexp.MustCompile(`[a-z_]+_[a-z0-9_]+`)
	ignored = regexp.MustCompile(`"[^"]*"|\{\{[^}]*\}\}|(by|without|on) \([^)]*\)`)
)

// named are the metrics that an expression names.
func named(expr string) []string {
	expr = ignored.ReplaceAllString(expr, "")
	var list []string
	for _, at := range word.FindAllStringIndex(expr, -1) {
		rest := strings.TrimLeft(expr[at[1]:], " ")
		isLabel := strings.HasPrefix(rest, "=") || strings.HasPrefix(rest, "!=") || strings.HasPrefix(rest, "!~")
		if isLabel || strings.HasPrefix(rest, "(") {
			continue // a label, or a function
		}
		list = append(list, expr[at[0]:at[1]])
	}
	return list
}

// foreign metrics come from kube-state-metrics.
var foreign = []string{"kube_pod_container_status_restarts_total"}

func TestRulesAndDashboardsNameOnlyMetricsOfTheTable(t *testing.T) {
	known := map[string]bool{}
	for metric, r := range table(t) {
		for _, name := range r.translated(metric) {
			known[name] = true
		}
	}
	for _, name := range foreign {
		known[name] = true
	}
	used := map[string]bool{}
	look := func(where, expr string) {
		found := named(expr)
		if len(found) == 0 {
			t.Errorf("%s names no metric: %s", where, expr)
		}
		for _, name := range found {
			used[name] = true
			if !known[name] {
				t.Errorf("%s names %s, which is not in docs/telemetry.md", where, name)
			}
		}
	}
	for _, a := range alerts(t) {
		_, expr, _ := strings.Cut(a.text, "expr: ")
		expr, _, _ = strings.Cut(expr, "\n    labels:")
		expr, _, _ = strings.Cut(expr, "\n    for:")
		look(a.name, expr)
	}
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				look(file+", "+p.Title, variables.Replace(target.Expr))
			}
		}
	}
	if len(used) < 30 {
		t.Errorf("only these were found: %v", slices.Sorted(maps.Keys(used)))
	}
}
