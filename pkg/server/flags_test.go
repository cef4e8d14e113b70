package server

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// The flags of the log and of the start are those of the process that serves.
func TestAProcessLogsAndStartsAsItsFlagsSay(t *testing.T) {
	const limit = 10 * time.Millisecond
	cmd := command(&config{})
	cmd.Serve = func(_ context.Context, rt *Runtime) error {
		rt.Log.Info("quiet")
		rt.Log.Warn("loud")
		return rt.Group.Add(lifecycle.Part{
			Name: "slow", Phase: lifecycle.Close,
			Start: func(ctx context.Context) error {
				if end, ok := ctx.Deadline(); !ok || time.Until(end) > limit {
					return errors.New("the start has another deadline")
				}
				<-ctx.Done()
				return context.Cause(ctx)
			},
		})
	}
	var stdout, stderr bytes.Buffer
	code := run(cmd, []string{"--keyset-file", "x", "--log-level", "warn", "--start-timeout", limit.String()}, nil, &stdout, &stderr)
	if code != exitError {
		t.Errorf("a start that misses its deadline ends with %d", code)
	}
	log := stderr.String()
	if strings.Contains(log, `"msg":"quiet"`) || !strings.Contains(log, `"msg":"loud"`) {
		t.Errorf("with --log-level warn it wrote\n%s", log)
	}
	if !strings.Contains(log, lifecycle.ErrStartTimeout.Error()) {
		t.Errorf("it does not say that the start took too long:\n%s", log)
	}
}
