package supervisor

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestAProcessThatNoSupervisorStartedCannotAttach(t *testing.T) {
	g, err := lifecycle.New(quiet()...)
	if err != nil {
		t.Fatal(err)
	}
	if IsChild() {
		t.Error("the test is no child")
	}
	if _, err := Attach(g); !errors.Is(err, ErrNotChild) {
		t.Errorf("attach: %v", err)
	}
}

func TestAChildIgnoresSIGINT(t *testing.T) {
	s := run(t, role("worker"))
	before := s.sup.Children()[0]
	signalPid(t, before.Pid, syscall.SIGINT)
	eventually(t, "the child works on", func() bool {
		c := s.sup.Children()[0]
		return c.Progress > before.Progress+2 && c.Pid == before.Pid
	})
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestNoNumberOfSIGTERMsSkipsTheCommitOfAChild(t *testing.T) {
	spec := role("worker", drainVar+"=1h")
	spec.Restart.Never = true
	s := run(t, spec)
	pid := s.sup.Children()[0].Pid
	for len(s.ended()) == 0 {
		signalPid(t, pid, syscall.SIGTERM)
	}
	eventually(t, "the child has committed", func() bool {
		lines := s.lines("child output")
		return len(lines) == 2 && lines[1]["line"] == "committed"
	})
	if e := s.firstExit(); e.Signal != 0 || e.Reason != ReasonExited {
		t.Errorf("exit: %v", e)
	}
}

func TestAMessageAboveOneMebibyteIsRefusedAndCostsTheChildNothing(t *testing.T) {
	refused := make(chan error, 1)
	spec := role("worker")
	spec.OnReady = func(ctx context.Context, c Child) error {
		_, err := healthv1.NewHealthClient(c.Conn()).Check(ctx, &healthv1.HealthCheckRequest{Service: strings.Repeat("x", 1<<20+1)})
		refused <- err
		return nil
	}
	s := run(t, spec)
	if err := <-refused; status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestAChildGetsItsLimitsAndItsUserAndNothingOfTheChannelInItsEnvironment(t *testing.T) {
	spec := role("reporter")
	spec.Restart.Never = true
	spec.MemoryLimit, spec.MaxProcs = 123<<20, 2
	spec.Env = append(spec.Env, "NOTIFY_SOCKET=/run/notify", "LISTEN_FDS=1")
	spec.Dir = "/"
	if syscall.Getuid() == 0 {
		spec.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	s := begin(t, spec)
	_ = s.wait()
	got := s.lines("report")
	if len(got) != 1 {
		t.Fatalf("reports: %v\n%s", got, s.logs)
	}
	want := map[string]any{"memory": float64(123 << 20), "procs": 2.0, "dir": "/", "manager": "", "uid": float64(syscall.Getuid()), "identity": false, "leader": true}
	if spec.Credential != nil {
		want["uid"] = 65534.0
	}
	for key, value := range want {
		if got[0][key] != value {
			t.Errorf("%s: %v, want %v", key, got[0][key], value)
		}
	}
}

func TestAChildGetsItsResourceLimitsAndItsShareOfTheProcessors(t *testing.T) {
	spec := role("reporter")
	spec.Restart.Never = true
	spec.Slots, spec.MaxProcs = 1000, Share
	complete, err := spec.complete()
	if err != nil || complete.MaxProcs != 1 {
		t.Errorf("share of one in a thousand: %d, error %v", complete.MaxProcs, err)
	}
	spec.Slots = 1
	spec.Rlimits = []Rlimit{{Resource: syscall.RLIMIT_NOFILE, Soft: 77, Hard: 77}}
	s := begin(t, spec)
	_ = s.wait()
	got := s.lines("report")
	if len(got) != 1 || got[0]["files"] != 77.0 || got[0]["procs"] != float64(runtime.GOMAXPROCS(0)) {
		t.Errorf("reports: %v\n%s", got, s.logs)
	}
}

func TestAChildThatCannotBeLimitedIsNotStarted(t *testing.T) {
	spec := role("reporter")
	spec.Restart.Never = true
	spec.Rlimits = []Rlimit{{Resource: 1 << 20, Soft: 1, Hard: 1}}
	s := begin(t, spec)
	_ = s.wait()
	if e := s.firstExit(); e.Reason != ReasonStartFailed || !errors.Is(e.Err, syscall.EINVAL) || len(s.lines("report")) != 0 {
		t.Errorf("exit: %v\n%s", e, s.logs)
	}
}
