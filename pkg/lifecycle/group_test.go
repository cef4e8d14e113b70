package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestAnIdleGroupStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(&out), lifecycle.WithTable())
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, ph := range []lifecycle.Phase{lifecycle.Announce, lifecycle.IntakeOff, lifecycle.Drain, lifecycle.Commit, lifecycle.Leave, lifecycle.Close} {
			if err := g.Add(lifecycle.Part{
				Name: ph.String(), Phase: ph,
				Start: func(context.Context) error { order = append(order, "start "+ph.String()); return nil },
				Stop:  func(context.Context) error { order = append(order, "stop "+ph.String()); return nil },
			}); err != nil {
				t.Fatal(err)
			}
		}
		g.Go("ticker", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		go func() { <-g.Started(); g.Shutdown(nil) }()
		begin := time.Now()
		if err := g.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("took %v", d)
		}
		want := "start close,start leave,start commit,start drain,start intake off,start announce," +
			"stop announce,stop intake off,stop drain,stop commit,stop leave,stop close"
		if got := strings.Join(order, ","); got != want {
			t.Errorf("order\n got %s\nwant %s", got, want)
		}
		t.Log(out.String())
	})
}

func TestAStuckPartIsAbandonedWithItsStackAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(nil))
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		committed := false
		must(t, g.Add(lifecycle.Part{Name: "stuck", Phase: lifecycle.Drain, Stop: func(context.Context) error { hangHere(release); return nil }}))
		must(t, g.Add(lifecycle.Part{Name: "flush", Phase: lifecycle.Commit, Stop: func(context.Context) error { committed = true; return nil }}))
		g.Shutdown(errors.New("broken"))
		err = g.Run(t.Context())
		close(release)
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d of %v", code, err)
		}
		if !committed {
			t.Error("not committed")
		}
		if r := g.Report(); !strings.Contains(r.Phases[2].Parts[0].Stack, "hangHere") {
			t.Errorf("no stack: %+v", r)
		} else {
			t.Log(r)
		}
	})
}

func hangHere(c chan struct{}) { <-c }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
