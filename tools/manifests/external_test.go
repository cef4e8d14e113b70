package manifests

import (
	"os"
	"path/filepath"
	"testing"
)

// A file that auth would refuse at its start must not reach a cluster.
func TestExternalIssuersReachAuthInAFileThatItReads(t *testing.T) {
	for _, c := range []struct {
		from, into string
		good       bool
	}{
		{`"provision": true`, `"provision": true`, true},
		{`"audiences"`, `"audience"`, false},
	} {
		dir := edited(t, c.from, c.into, "components/external-issuers/issuers.json")
		overlay := filepath.Join(dir, "production", "kustomization.yaml")
		content, err := os.ReadFile(overlay)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, "components: [../../components/external-issuers]\n"...)
		if err := os.WriteFile(overlay, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := renderIn(t, dir, "production")
		for _, wrong := range append(Check(s, documents(t)), conform(t, s.YAML)...) {
			t.Error(wrong)
		}
		auth := &s.StatefulSets["auth"].Spec.Template.Spec
		var name, mounted string
		for _, v := range auth.Volumes {
			if v.Name == "external-issuers" {
				name = v.ConfigMap.Name
			}
		}
		for _, m := range s.main("auth").VolumeMounts {
			if m.Name == "external-issuers" {
				mounted = filepath.Join(m.MountPath, "issuers.json")
			}
		}
		file := filepath.Join(t.TempDir(), "issuers.json")
		if mounted == "" || s.settings(s.main("auth"))["CURFEW_AUTH_EXTERNAL_ISSUERS_FILE"] != mounted || s.ConfigMaps[name] == nil {
			t.Fatalf("auth is told of no file, or of one that is not %q", mounted)
		}
		if err := os.WriteFile(file, []byte(s.ConfigMaps[name].Data["issuers.json"]), 0o600); err != nil {
			t.Fatal(err)
		}
		set(s, "auth", "EXTERNAL_ISSUERS_FILE", file)
		if _, err := check(t, s, "auth"); (err == nil) != c.good {
			t.Errorf("with %s: %v", c.into, err)
		}
	}
}
