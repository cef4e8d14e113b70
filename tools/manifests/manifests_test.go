package manifests

import (
	"os"
	"path/filepath"
	"testing"
)

const root = "../.."

var overlays = []string{"dev", "production"}

func render(t *testing.T, overlay string) *Set {
	t.Helper()
	s, err := Render(filepath.Join(root, "deploy/overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func documents(t *testing.T) Documents {
	t.Helper()
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(root, "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	return Documents{Configuration: read("configuration.md"), Kubernetes: read("kubernetes.md")}
}

func TestEveryOverlayKeepsTheRules(t *testing.T) {
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			s := render(t, overlay)
			if got := len(s.StatefulSets); got != 3 {
				t.Errorf("%d StatefulSets, want auth, orders and logproc", got)
			}
			for _, wrong := range Check(s, documents(t)) {
				t.Error(wrong)
			}
		})
	}
}
