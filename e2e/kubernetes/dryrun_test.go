package kubernetes

import (
	"path/filepath"
	"strings"
	"testing"
)

// overlay is the folder of one of the overlays.
func overlay(t *testing.T, name string) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("../../deploy/overlays", name))
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestTheAPIServerAcceptsEveryObjectOfBothOverlays(t *testing.T) {
	for name, objects := range map[string][]string{
		"dev":        {"statefulset.apps/auth", "statefulset.apps/orders", "statefulset.apps/logproc", "endpointslice.discovery.k8s.io/kafka-host"},
		"production": {"statefulset.apps/auth", "statefulset.apps/orders", "statefulset.apps/logproc", "ingress.networking.k8s.io/curfew"},
	} {
		out, err := lab.Kubectl(t.Context(), "apply", "--dry-run=server", "--output=name", "--kustomize="+overlay(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, object := range objects {
			if !strings.Contains(string(out), object+"\n") {
				t.Errorf("%s: %s was not sent; %s", name, object, out)
			}
		}
	}
}

// What only the API server knows: it refuses what the schemas admit.
func TestTheAPIServerRefusesWhatCannotWork(t *testing.T) {
	rendered, err := lab.Kubectl(t.Context(), "kustomize", overlay(t, "dev"))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string][2]string{
		"less than terminationGracePeriodSeconds": {"        livenessProbe:\n", "        lifecycle: {preStop: {sleep: {seconds: 60}}}\n        livenessProbe:\n"},
		"unknown field":                      {"      enableServiceLinks: false\n", "      enableServiceLinkz: false\n"},
		"must be less than or equal to":      {"            memory: 224Mi\n", "            memory: 224Gi\n"},
		"`selector` does not match template": {"      app.kubernetes.io/name: auth\n  serviceName", "      app.kubernetes.io/name: other\n  serviceName"},
	} {
		changed := strings.Replace(string(rendered), change[0], change[1], 1)
		if changed == string(rendered) {
			t.Errorf("%q is not in the manifests", change[0])
			continue
		}
		if _, err := lab.KubectlWith(t.Context(), []byte(changed), "apply", "--dry-run=server", "--filename=-"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want a refusal with %q, got %v", want, err)
		}
	}
}
