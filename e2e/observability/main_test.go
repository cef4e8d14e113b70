// Package observability tests what operators look at: the real services send their telemetry to a real Prometheus, which
// knows every metric that docs/telemetry.md, the alert rules and the dashboards name, and whose alerts fire.
package observability

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle/telemetry/telemetrytest"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
)

// What the tests of this package share.
var (
	collector *telemetrytest.Collector
	server    *prometheus
)

func TestMain(m *testing.M) {
	if os.Getenv(slowVariable) != "" {
		os.Exit(slow())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "observability:", err)
		code = 1
	}
	os.Exit(leak.Exit(code, os.Stderr))
}

const (
	loadTime  = 8 * time.Second
	stopLimit = time.Minute
)

// run starts Prometheus and `curfew dev`, uses the platform for a while, stops it, and only then runs the tests: the last
// that a process sends is part of what they look at.
func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "curfew-observability-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return 0, err
	}
	if server, err = startPrometheus(ctx, filepath.Join(dir, "prometheus")); err != nil {
		return 0, err
	}
	defer server.stop()
	var stopCollector func()
	if collector, stopCollector, err = telemetrytest.Start(); err != nil {
		return 0, err
	}
	defer stopCollector()
	collector.Watch(func(text string) { leak.Text("telemetry", text) })
	r, err := startRelay(collector.Addr, server.url)
	if err != nil {
		return 0, err
	}
	defer r.stop()
	if err := usePlatform(ctx, dir, r.addr); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// usePlatform runs `curfew dev`, and within it everybody who uses a platform.
func usePlatform(ctx context.Context, dir, addr string) error {
	bin, err := binaries(ctx, dir)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "dev.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	load := filepath.Join(bin, "load") + " run --limit " + loadTime.String() + " --rate 500 --customers 2 --orders-replicas $CURFEW_ORDERS_ADDR"
	dev := exec.CommandContext(ctx, filepath.Join(bin, "curfew"), "dev", "--port", "0", "--state-dir", filepath.Join(dir, "state"),
		"--telemetry", "otlp", "--log-workers", "2", "--", "sh", "-c", load)
	dev.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+addr, "OTEL_METRIC_EXPORT_INTERVAL=1000")
	dev.Stdout, dev.Stderr = log, log
	dev.Cancel = func() error { return dev.Process.Signal(syscall.SIGINT) }
	dev.WaitDelay = stopLimit
	err = dev.Run()
	if err := leak.File(log.Name()); err != nil {
		return err
	}
	if err != nil {
		content, _ := os.ReadFile(log.Name())
		lines := strings.Split(string(content), "\n")
		return fmt.Errorf("curfew dev: %w\n%s", err, strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
	return nil
}

// binaries returns the folder of the binaries: CURFEW_BIN_DIR, or one that is built now.
func binaries(ctx context.Context, dir string) (string, error) {
	if bin := os.Getenv("CURFEW_BIN_DIR"); bin != "" {
		return bin, nil
	}
	bin := filepath.Join(dir, "bin")
	for _, pkg := range []string{"services/auth/cmd/auth", "services/orders/cmd/orders", "services/logproc/cmd/logproc", "cmd/curfew", "e2e/cmd/load"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(bin, filepath.Base(pkg)), "github.com/curfew-platform/curfew/"+pkg)
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return bin, nil
}

// tool returns the path of a pinned program.
func tool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path, err := filepath.Abs(filepath.Join("..", "..", ".bin", name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", errors.New(name + " is missing: make setup")
	}
	return path, nil
}

// await calls is until it is true, or fails after limit.
func await(ctx context.Context, limit time.Duration, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := is()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not within %v", limit), err)
		case <-tick.C:
		}
	}
}

// root is the folder of the repository.
var root = filepath.Join("..", "..")

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
