package kafkaconn

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/localenv/authority"
)

func TestFilesThatCannotBeReadAreReportedOnceAndTheOnesBeforeAreUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "ca.pem")
	content, err := os.ReadFile(authority.New(t, t.TempDir(), "ca").File)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(good, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	d := &dialer{settings: Settings{TLSCA: good}, log: slog.New(slog.NewTextHandler(&log, nil))}
	if _, err := d.current(); err == nil {
		t.Fatal("nothing was ever read, and it goes on")
	}
	write(content)
	if _, err := d.current(); err != nil || log.Len() > 0 {
		t.Fatal(err, log.String())
	}
	for _, step := range []struct {
		change func()
		level  string // "": nothing is said
		about  string
	}{
		{func() { write([]byte("half a file")) }, "WARN", "holds no certificate"},
		{func() {}, "", ""},
		{func() { _ = os.Remove(good) }, "WARN", "no such file"},
		{func() {}, "", ""},
		{func() { write(content) }, "INFO", "again"},
		{func() {}, "", ""},
		{func() { _ = os.Remove(good) }, "WARN", "no such file"},
	} {
		log.Reset()
		step.change()
		cfg, err := d.current()
		if err != nil || cfg.RootCAs == nil {
			t.Errorf("%s: the certificates of before are lost: %v", step.about, err)
		}
		if got := log.String(); (step.level == "") != (got == "") || !strings.Contains(got, "level="+step.level) && step.level != "" || !strings.Contains(got, step.about) {
			t.Errorf("want %s about %q, got %q", step.level, step.about, got)
		}
	}
}
