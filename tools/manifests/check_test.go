package manifests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// check asks the program of a service what it says to the settings of its pod.
func check(t *testing.T, s *Set, name string) error {
	t.Helper()
	dir := os.Getenv("CURFEW_BIN_DIR")
	if dir == "" {
		dir = filepath.Join(root, "bin")
	}
	program := filepath.Join(dir, name)
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--check")
	secrets := secrets(t)
	for variable, value := range s.settings(s.main(name)) {
		switch {
		case variable == "GOMEMLIMIT" && value == "": // a figure of the pod, which checkMemory looks at
			continue
		case value == "":
			value = name + "-0" // its name, by the downward API
		case strings.HasPrefix(value, "/etc/curfew/secrets/"):
			value = filepath.Join(secrets, filepath.Base(value))
		}
		cmd.Env = append(cmd.Env, variable+"="+value)
	}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("%s --check: %s", name, output)
	}
	return err
}

// secrets is a folder with what a Secret holds that a service reads to validate
// its settings.
func secrets(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"kafka-ca.crt":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"kafka-password": []byte("secret"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryServiceAcceptsTheSettingsOfItsPod(t *testing.T) {
	for _, overlay := range overlays {
		s := render(t, overlay)
		for _, name := range s.names() {
			if err := check(t, s, name); err != nil {
				t.Errorf("%s: %s: %v", overlay, name, err)
			}
		}
	}
}

func TestASettingThatAServiceRefusesIsNoticed(t *testing.T) {
	s := render(t, "production")
	s.main("orders").Env = append(s.main("orders").Env, corev1.EnvVar{Name: "CURFEW_ORDERS_REVOCATION", Value: "rumour"})
	if check(t, s, "orders") == nil {
		t.Error("a source of revocations that does not exist is not noticed")
	}
	s = render(t, "dev")
	s.main("auth").Env = append(s.main("auth").Env, corev1.EnvVar{Name: "CURFEW_AUTH_ACCESS_LIFE", Value: "10s"})
	if check(t, s, "auth") == nil {
		t.Error("a life that is too short is not noticed")
	}
}
