package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// edited is a copy of deploy/ as a user would make it, with one text replaced by
// another in each of the files.
func edited(t *testing.T, from, into string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "deploy"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), from) {
			t.Fatalf("%s has no %q", name, from)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(string(content), from, into)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "overlays")
}

func renderIn(t *testing.T, dir, overlay string) *Set {
	t.Helper()
	s, err := Render(filepath.Join(dir, overlay))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a user changes has to reach everything that depends on it.
func TestTheGraceOfAPodIsTheGraceOfItsProcess(t *testing.T) {
	dir := edited(t, "terminationGracePeriodSeconds: 30\n", "terminationGracePeriodSeconds: 45\n",
		"base/auth/statefulset.yaml", "base/orders/statefulset.yaml", "base/logproc/statefulset.yaml")
	for _, overlay := range overlays {
		s := renderIn(t, dir, overlay)
		for _, name := range s.names() {
			if got := s.settings(s.main(name))[variable(name, "GRACE")]; got != "45s" {
				t.Errorf("%s: with 45 s in the pod of %s its --grace is %s", overlay, name, got)
			}
		}
	}
}

func TestTheValuesOfASiteReachAllThatDependsOnThem(t *testing.T) {
	site := "overlays/production/site.yaml"
	for value, times := range map[string]int{
		"https://curfew.example.com": 5, // three issuers, the audience of two tokens
		"10.20.0.0/24":               3,
		"10.30.0.0/24":               2,
		"10.40.0.0/24":               3,
		"kafka-1.example.com:9092":   2,
		"nginx\n":                    1,
	} {
		rendered := string(renderIn(t, edited(t, value, "changed", site), "production").YAML)
		if strings.Contains(rendered, "from-site") || strings.Count(rendered, "changed") != times {
			t.Errorf("%q is in %d places, want %d", value, strings.Count(rendered, "changed"), times)
		}
	}
}

func TestServicesThatFollowTheirLoadKeepTheRules(t *testing.T) {
	dir := edited(t, "replicas:\n- {name: auth, count: 2}\n- {name: orders, count: 3}\n", "components: [../../components/autoscaling]\nreplicas:\n",
		"overlays/production/kustomization.yaml")
	s := renderIn(t, dir, "production")
	for _, wrong := range append(Check(s, documents(t)), conform(t, s.YAML)...) {
		t.Error(wrong)
	}
	for _, name := range []string{"auth", "orders"} {
		if s.Scalers[name] == nil || s.StatefulSets[name].Spec.Replicas != nil {
			t.Errorf("%s has no autoscaler, or a number of replicas that each apply would set it back to", name)
		}
	}
}
