package otlp_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry/telemetrytest"
	"github.com/curfew-platform/curfew/pkg/localenv/authority"
	"github.com/curfew-platform/curfew/pkg/server/otlp"
)

// overTLS is a collector behind a listener that speaks TLS.
func overTLS(t *testing.T, collector string, paths certfile.Paths) (address string) {
	t.Helper()
	files, err := certfile.Open(paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", files.Server("h2"))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", collector)
			if err != nil {
				_ = conn.Close()
				return
			}
			for _, way := range [][2]net.Conn{{conn, to}, {to, conn}} {
				serving.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheCertificatesOfACollectorAreReplacedWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	before, after := authority.New(t, dir, "before"), authority.New(t, dir, "after")
	cert, key := after.Issue(t, dir, "collector")
	own, ownKey := after.Issue(t, dir, "service")
	roots := filepath.Join(t.TempDir(), "ca.crt")
	trust := func(a *authority.Authority) {
		t.Helper()
		if err := os.WriteFile(roots, content(t, a.File), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", roots)
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", own)
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", ownKey)
	log := slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))
	collector, err := telemetrytest.InTime(t, func(c *telemetrytest.Collector) error {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://"+overTLS(t, c.Addr, certfile.Paths{Cert: cert, Key: key, CA: after.File}))
		trust(before)
		to, err := otlp.New(t.Context(), "shop", "v1", log)
		if err != nil {
			t.Fatal(err)
		}
		trust(after)
		g := newGroup(t)
		if err := to.Add(g); err != nil {
			t.Fatal(err)
		}
		slog.New(to.Handler(log.Handler())).Info("hello")
		return stop(t, g)
	})
	if err != nil {
		t.Error(err)
	}
	if spans, points, logs := len(collector.Spans()), collector.Points("lifecycle.stop.duration"), collector.Logs(); spans == 0 || points == 0 || logs == 0 {
		t.Errorf("%d spans, %d points, %d log records", spans, points, logs)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", roots+".none")
	_, err = otlp.New(t.Context(), "shop", "v1", log)
	if ue := (*lifecycle.UsageError)(nil); !errors.As(err, &ue) {
		t.Errorf("certificates that are not there: %v", err)
	}
}
