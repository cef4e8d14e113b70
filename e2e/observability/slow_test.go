package observability

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server/otlp"
)

// slowVariable makes this program a service whose stop takes longer than its grace.
const slowVariable = "CURFEW_TEST_SLOW"

// slowService is its name.
const slowService = "slow"

// slow has 3,000 records in hand and completes 50 a second: its stop would take a minute, of which a grace of 30 s leaves
// a third.
func slow() int {
	g, err := lifecycle.New(lifecycle.WithGrace(30*time.Second), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	begun := time.Now()
	var left atomic.Int64
	left.Store(3000)
	if err := g.Add(lifecycle.Part{
		Name: "consumer", Phase: lifecycle.Drain,
		Remaining: left.Load,
		Completed: func() uint64 { return uint64(50 * time.Since(begun).Seconds()) },
		Stop:      func(context.Context) error { left.Store(0); return nil },
	}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	to, err := otlp.New(context.Background(), slowService, "v1", slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err == nil {
		err = to.Add(g)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return lifecycle.ExitCode(g.Run(context.Background()))
}

// patience of a rule is for accidents of minutes; promtool tests it.
var patience = regexp.MustCompile(`(?m)^\s*(for|keep_firing_for): .*\n`)

func TestAPredictedDrainOverTheGraceFiresTheAlertBeforeTheDeploy(t *testing.T) {
	rules := read(t, "deploy", "observability", "rules.yaml")
	if err := server.load(t.Context(), patience.ReplaceAllString(rules, "")); err != nil {
		t.Fatal(err)
	}
	r, err := startRelay(collector.Addr, server.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(self)
	process.Env = append(os.Environ(), slowVariable+"=1", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+r.addr, "OTEL_METRIC_EXPORT_INTERVAL=200")
	var stderr strings.Builder
	process.Stderr = &stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	const firing = `ALERTS{alertname="PredictedDrainOverGrace", severity="critical", alertstate="firing", job="slow"}`
	err = await(t.Context(), 30*time.Second, func() (bool, error) {
		found, err := server.query(t.Context(), firing)
		return len(found) > 0, err
	})
	if err != nil {
		known, _ := server.query(t.Context(), `{job="slow"}`)
		t.Errorf("the alert does not fire: %v; known is %v", err, known)
	}
	if told, err := server.get(t.Context(), "/api/v1/alerts"); err != nil || !strings.Contains(string(told), "A stop of slow would lose work") {
		t.Errorf("people are told %s, %v", told, err)
	}
	// The process has not been told to stop until now: nothing was lost.
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	for _, job := range []string{"auth", "orders", "logproc"} {
		found, err := server.query(t.Context(), strings.Replace(firing, "slow", job, 1))
		if err != nil || len(found) > 0 {
			t.Errorf("the alert of %s: %v, %v", job, found, err)
		}
	}
}
