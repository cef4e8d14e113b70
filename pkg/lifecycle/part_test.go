package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// stopped runs a group of one part through its life and returns what the report says of the part.
func stopped(t *testing.T, p lifecycle.Part) (lifecycle.PartReport, error) {
	t.Helper()
	g := newGroup(t)
	p.Name = "part"
	must(t, g.Add(p))
	signals(g, 0)
	err := g.Run(t.Context())
	return find(t, g.Report(), "part"), err
}

func TestAPartWithOnlyRemainingIsDoneWhenNothingRemains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		p, err := stopped(t, lifecycle.Part{Phase: lifecycle.Drain, Remaining: func() int64 {
			return max(0, 5-int64(time.Since(begin)/time.Second))
		}})
		if err != nil || *p.RemainingBefore != 5 || *p.RemainingAfter != 0 || time.Duration(p.Used) != 5*time.Second {
			t.Errorf("%v, %+v", err, p)
		}
		p, err = stopped(t, lifecycle.Part{Phase: lifecycle.Drain, Remaining: func() int64 { return 1 }})
		if lifecycle.ExitCode(err) != lifecycle.ExitDeadline || p.Outcome != lifecycle.Forced || *p.RemainingAfter != 1 {
			t.Errorf("%v, %+v", err, p)
		}
	})
}

func TestAPartThatLeavesSomethingDidNotEndClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := stopped(t, lifecycle.Part{
			Phase: lifecycle.Commit, Stop: func(context.Context) error { return nil },
			Remaining:     func() int64 { return 3 },
			EstimateDrain: func() time.Duration { return 4 * time.Second },
			Stuck: func() []string {
				var list []string
				for i := range 20 {
					list = append(list, fmt.Sprint("batch ", i))
				}
				return list
			},
		})
		if !errors.Is(err, lifecycle.ErrRemaining) || p.Outcome != lifecycle.Failed || len(p.Stuck) != 16 || *p.Estimate != lifecycle.Duration(4*time.Second) {
			t.Errorf("%v, %+v", err, p)
		}
	})
}

func TestAPanicBecomesAnErrorWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		p, err := stopped(t, lifecycle.Part{Phase: lifecycle.Drain, Stop: func(context.Context) error { panic(broken) }})
		if !errors.Is(err, broken) || p.Outcome != lifecycle.Failed || !strings.Contains(p.Stack, "TestAPanicBecomesAnErrorWithItsStack") {
			t.Errorf("%v, %+v", err, p)
		}
		p, err = stopped(t, lifecycle.Part{Phase: lifecycle.Drain, Stop: func(context.Context) error { runtime.Goexit(); return nil }})
		if lifecycle.ExitCode(err) != lifecycle.ExitError || p.Outcome != lifecycle.Failed {
			t.Errorf("%v, %+v", err, p)
		}
		p, err = stopped(t, lifecycle.Part{Phase: lifecycle.Drain, Start: func(context.Context) error { panic(broken) }})
		if !errors.Is(err, broken) || p.Outcome != lifecycle.Skipped {
			t.Errorf("%v, %+v", err, p)
		}
	})
}

func TestAPartThatCannotSayWhatRemainsIsStoppedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		committed := false
		p, err := stopped(t, lifecycle.Part{
			Phase: lifecycle.Commit, Stop: func(context.Context) error { committed = true; return nil },
			Remaining: func() int64 { panic("no idea") },
		})
		if !committed || p.Outcome != lifecycle.Failed || !strings.Contains(err.Error(), "no idea") {
			t.Errorf("committed %v: %v, %+v", committed, err, p)
		}
	})
}

func TestKillIsCalledOnceAtTheDeadlineAndCanRescueTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		killed := make(chan struct{})
		var kills atomic.Int64
		p, err := stopped(t, lifecycle.Part{
			Phase: lifecycle.Leave, Stop: func(context.Context) error { <-killed; return nil },
			Kill: func() { kills.Add(1); close(killed) },
		})
		if !errors.Is(err, lifecycle.ErrDeadlineExceeded) || p.Outcome != lifecycle.Forced || kills.Load() != 1 || time.Duration(p.Used) != 3*time.Second {
			t.Errorf("%v, %+v", err, p)
		}
	})
}

func TestOtherSignalsCanBeginTheStop(t *testing.T) {
	g := newGroup(t, lifecycle.WithSignals(syscall.SIGUSR1))
	go func() {
		<-g.Started()
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
	}()
	must(t, g.Run(t.Context()))
	if cause := g.Report().Cause; cause != "signal: user defined signal 1" {
		t.Error(cause)
	}
}

func TestWrappedUsageErrorsKeepTheirText(t *testing.T) {
	broken := errors.New("no such flag")
	err := &lifecycle.UsageError{Err: broken}
	if err.Error() != broken.Error() || !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestPhasesAndDurationsAreReadBackStrictly(t *testing.T) {
	var ph lifecycle.Phase
	if err := ph.UnmarshalText([]byte("intake off")); err != nil || ph != lifecycle.IntakeOff {
		t.Error(ph, err)
	}
	if err := ph.UnmarshalText([]byte("later")); err == nil {
		t.Error("a phase that does not exist was read")
	}
	if _, err := lifecycle.Phase(9).MarshalText(); err == nil || lifecycle.Phase(9).String() != "phase(9)" {
		t.Error("a phase that does not exist was written")
	}
	var d lifecycle.Duration
	if err := d.UnmarshalJSON([]byte("1.5")); err != nil || d.String() != "1.5ms" {
		t.Error(d, err)
	}
	for _, bad := range []string{"1e300", `"x"`, "-1e19"} {
		if err := d.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read as %v", bad, d)
		}
	}
}
