package manifests

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
)

// schemas are made of the OpenAPI file of Kubernetes by cmd/schemas.
func conform(t *testing.T, content []byte) (wrong []string) {
	t.Helper()
	v, err := validator.New([]string{"schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json"}, validator.Opts{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range v.Validate("manifests", io.NopCloser(bytes.NewReader(content))) {
		if r.Status != validator.Valid && r.Status != validator.Empty {
			signature, err := r.Resource.Signature()
			if err != nil {
				t.Fatal(err)
			}
			wrong = append(wrong, signature.Kind+" "+signature.Name+": "+r.Err.Error())
		}
	}
	return wrong
}

func TestEveryObjectConformsToTheSchemaOfItsKind(t *testing.T) {
	for _, overlay := range overlays {
		for _, wrong := range conform(t, render(t, overlay).YAML) {
			t.Errorf("%s: %s", overlay, wrong)
		}
	}
}

func TestWhatASchemaDoesNotHaveIsNoticed(t *testing.T) {
	s := string(render(t, "dev").YAML)
	for what, change := range map[string][2]string{
		"an unknown field":     {"      enableServiceLinks: false", "      enableServiceLinkz: false"},
		"a wrong type":         {"  minReadySeconds: 5", "  minReadySeconds: five"},
		"a list for an object": {"        securityContext:\n", "        securityContext: []\n        x:\n"},
		"an unknown kind":      {"kind: PodDisruptionBudget", "kind: PodDisruptionBudged"},
	} {
		changed := strings.Replace(s, change[0], change[1], 1)
		if changed == s {
			t.Fatalf("%s: %q is not in the manifests", what, change[0])
		}
		if len(conform(t, []byte(changed))) == 0 {
			t.Errorf("%s is not noticed", what)
		}
	}
}
