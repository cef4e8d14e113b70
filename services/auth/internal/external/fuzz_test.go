package external_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

// FuzzParse: whatever the file holds, what is read from it takes tokens of at
// most 32 issuers, none of them reserved, each for somebody by name, signed
// with a key that only the issuer has, and over after a day.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"issuers":[` + good + `]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		cfg, err := external.Parse(content, own)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
				t.Errorf("the error is no line: %q", err)
			}
			return
		}
		if strings.Contains(string(content), "ca_") {
			return // nothing of this machine is opened
		}
		issuers, err := external.Open(cfg, slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatalf("read, and not opened: %v", err)
		}
		defer issuers.Close()
		names := cfg.Names()
		lines := strings.Split(issuers.Describe(), "\n")
		if len(names) == 0 || len(names) > 32 || len(lines) != len(names) {
			t.Errorf("%d issuers, %d lines", len(names), len(lines))
		}
		for _, line := range lines {
			switch {
			case !strings.HasPrefix(line, "oidc issuer=http"), strings.HasPrefix(line, "oidc issuer="+own+" "):
				t.Errorf("a wrong issuer: %q", line)
			case !strings.Contains(line, " aud=") && !strings.Contains(line, " azp="):
				t.Errorf("for anybody: %q", line)
			case strings.Contains(line, "HS256"), strings.Contains(line, "none"):
				t.Errorf("signed by anybody: %q", line)
			}
		}
	})
}
