package creds_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

func TestAFileWithoutACertificateIsNoTrust(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".missing"} {
		if config, err := creds.TrustCA(file); err == nil || config != nil {
			t.Errorf("%s: %v, %v", file, config, err)
		}
	}
	if config, err := creds.TrustCA(""); err != nil || config != nil {
		t.Errorf("no file: %v, %v", config, err)
	}
}
