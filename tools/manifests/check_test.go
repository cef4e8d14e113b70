package manifests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// longestWork is what a replica may have to finish when it is told to stop: a
// call of a client that gives it 10 s. Batches of logproc take less, --stop-budget.
const longestWork = 10 * time.Second

var longestDrain = regexp.MustCompile(`(?m)^stop: the longest drain is (\S+)$`)

// check asks the program of a service what it says to the settings of its pod,
// and how long they let it drain.
func check(t *testing.T, s *Set, name string) (time.Duration, error) {
	t.Helper()
	dir := os.Getenv("CURFEW_BIN_DIR")
	if dir == "" {
		dir = filepath.Join(root, "bin")
	}
	program := filepath.Join(dir, name)
	for _, p := range []string{program, filepath.Join(dir, "curfew")} {
		if _, err := os.Stat(p); err != nil {
			t.Fatalf("%v: run make build first", err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "--check")
	secrets := secrets(t, dir)
	for variable, value := range s.settings(s.main(name)) {
		switch {
		case variable == "GOMEMLIMIT" && value == "": // a figure of the pod, which checkMemory looks at
			continue
		case value == "":
			value = name + "-0" // its name, by the downward API
		case strings.HasPrefix(value, "/etc/curfew/"):
			value = filepath.Join(secrets, filepath.Base(value))
		}
		cmd.Env = append(cmd.Env, variable+"="+value)
	}
	var refused strings.Builder
	cmd.Stderr = &refused
	output, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s --check: %w: %s", name, err, &refused)
	}
	match := longestDrain.FindSubmatch(output)
	if match == nil {
		return 0, fmt.Errorf("%s --check does not say how long it drains", name)
	}
	return time.ParseDuration(string(match[1]))
}

// secrets is a folder with what the volumes of a pod hold that a service reads to
// validate its settings. The programs are in bin.
func secrets(t *testing.T, bin string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"ca.crt":         certificate,
		"tls.crt":        certificate,
		"tls.key":        pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"kafka-ca.crt":   certificate,
		"kafka-password": []byte("secret"),
		"database-url":   []byte("postgres://curfew@postgres/curfew"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "curfew"), "keyset", "new", filepath.Join(dir, "keyset.json")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func TestEveryServiceAcceptsTheSettingsOfItsPodAndHasTheTimeToStop(t *testing.T) {
	for _, overlay := range overlays {
		s := render(t, overlay)
		for _, name := range s.names() {
			drain, err := check(t, s, name)
			if err != nil {
				t.Errorf("%s: %v", overlay, err)
			} else if drain < longestWork {
				t.Errorf("%s: a stop of %s has %v to drain, needed are %v", overlay, name, drain, longestWork)
			}
		}
	}
}

func TestASettingThatAServiceRefusesIsNoticed(t *testing.T) {
	for _, c := range []struct{ service, setting, value, want string }{
		{"orders", "REVOCATION", "rumour", "--revocation must be one of"},
		{"auth", "ACCESS_LIFE", "10s", "--access-life"},
		{"logproc", "GRACE", "8s", "grace"},
	} {
		s := render(t, "production")
		set(s, c.service, c.setting, c.value)
		if _, err := check(t, s, c.service); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v", c.setting, c.service, err)
		}
	}
	s := render(t, "dev")
	set(s, "orders", "PROPAGATION", "15s")
	if drain, err := check(t, s, "orders"); err != nil || drain >= longestWork {
		t.Errorf("a propagation of 15 s leaves %v, %v", drain, err)
	}
}
