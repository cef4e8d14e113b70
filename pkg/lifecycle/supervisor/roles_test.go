package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// The settings of roles.
const (
	tagVar       = "SUPERVISOR_TEST_TAG"       // marks all descendants of a test
	drainVar     = "SUPERVISOR_TEST_DRAIN"     // how long a worker drains
	commitVar    = "SUPERVISOR_TEST_COMMIT"    // a folder in which workers leave a file when they commit
	heartbeatVar = "SUPERVISOR_TEST_HEARTBEAT" // how long a parent waits for heartbeats
	orphanVar    = "SUPERVISOR_TEST_ORPHAN"    // how long children go on after the death of a parent
	childrenVar  = "SUPERVISOR_TEST_CHILDREN"  // how many children a parent has
	lineageVar   = "SUPERVISOR_TEST_LINEAGE"   // the roles of a parent's children, their children and so on
)

// quiet are the options of a group whose report would only be noise.
func quiet(opts ...lifecycle.Option) []lifecycle.Option {
	return append([]lifecycle.Option{
		lifecycle.WithLogger(slog.New(slog.DiscardHandler)), lifecycle.WithReportWriter(nil),
	}, opts...)
}

// fail says why a role can't be played.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 70
}

// playWorker is a child as it should be: it has a service, counts its work and
// drains when it is told to.
func playWorker(ctx context.Context) int { return work(ctx) }

func work(ctx context.Context, parts ...lifecycle.Part) int {
	g, err := lifecycle.New(quiet()...)
	if err != nil {
		return fail(err)
	}
	agent, err := Attach(g)
	if err != nil {
		return fail(err)
	}
	checks := health.NewServer()
	checks.SetServingStatus(fmt.Sprintf("slot %d", agent.Slot()), healthv1.HealthCheckResponse_SERVING)
	healthv1.RegisterHealthServer(agent.Server(), checks)

	var done atomic.Int64
	agent.SetProgress(func() int64 { return 1 }, func() int64 { return done.Add(1) })
	agent.SetOldest(func() time.Duration { return time.Millisecond })
	for _, part := range parts {
		if err := g.Add(part); err != nil {
			return fail(err)
		}
	}
	drain, _ := time.ParseDuration(os.Getenv(drainVar))
	err = g.Add(lifecycle.Part{Name: "work", Phase: lifecycle.Drain, Stop: func(ctx context.Context) error {
		select {
		case <-time.After(drain):
			fmt.Println("drained in full")
			return nil
		case <-ctx.Done():
			fmt.Println("drain cut short:", context.Cause(ctx))
			return nil
		}
	}})
	if err != nil {
		return fail(err)
	}
	err = g.Add(lifecycle.Part{Name: "commit", Phase: lifecycle.Commit, Stop: func(context.Context) error {
		fmt.Println("committed")
		if dir := os.Getenv(commitVar); dir != "" {
			return os.WriteFile(filepath.Join(dir, strconv.Itoa(os.Getpid())), nil, 0o600)
		}
		return nil
	}})
	if err != nil {
		return fail(err)
	}
	return lifecycle.ExitCode(g.Run(ctx))
}

// playParent is a supervisor in a process of its own, for tests that kill it.
func playParent(ctx context.Context) int {
	g, err := lifecycle.New(lifecycle.WithLogger(slog.New(slog.DiscardHandler)),
		lifecycle.WithGrace(5*time.Second), lifecycle.WithReserve(time.Second),
		lifecycle.WithBudget(lifecycle.Commit, 0, time.Second), lifecycle.WithBudget(lifecycle.Leave, 0, time.Second))
	if err != nil {
		return fail(err)
	}
	slots, err := strconv.Atoi(os.Getenv(childrenVar))
	if err != nil {
		return fail(err)
	}
	// Each generation takes one role away from the list, so that it ends.
	child, lineage, _ := strings.Cut(os.Getenv(lineageVar), " ")
	if child == "" {
		return fail(errors.New("a parent without a role for its children"))
	}
	spec := role(child, lineageVar+"="+lineage)
	spec.Slots = slots
	spec.Plain = strings.HasPrefix(child, "plain")
	spec.Log = slog.New(slog.DiscardHandler)
	spec.Restart = RestartPolicy{Min: time.Millisecond, Max: 10 * time.Millisecond, Intensity: -1}
	if timeout, err := time.ParseDuration(os.Getenv(heartbeatVar)); err == nil {
		spec.Heartbeat, spec.HeartbeatTimeout = timeout/10, timeout
	}
	if grace, err := time.ParseDuration(os.Getenv(orphanVar)); err == nil {
		spec.OrphanGrace = grace
	}
	spec.OnExit = func(e Exit) { fmt.Printf("exit %d %d %d\n", e.Slot, e.Generation, e.Pid) }
	if IsChild() {
		if _, err := Attach(g); err != nil {
			return fail(err)
		}
	}
	if _, err := Add(g, spec); err != nil {
		return fail(err)
	}
	g.Go("announce", func(ctx context.Context) error {
		select {
		case <-g.Started():
			fmt.Println("started")
		case <-ctx.Done():
		}
		return nil
	})
	return lifecycle.ExitCode(g.Run(ctx))
}

// playForker is a worker with a process of its own in its group.
func playForker(ctx context.Context) int {
	return work(ctx, lifecycle.Part{Name: "fork", Phase: lifecycle.Leave, Start: forkSleeper})
}

// playPlainForker is a plain program with a process of its own in its group.
func playPlainForker(ctx context.Context) int {
	if err := forkSleeper(ctx); err != nil {
		return fail(err)
	}
	return playPlain(ctx)
}

func forkSleeper(context.Context) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=sleeper")
	return cmd.Start()
}

// playSleeper does nothing, and nothing but SIGKILL ends it.
func playSleeper(context.Context) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	return forever()
}

// playPlain is a program without a channel, which stops on SIGTERM.
func playPlain(context.Context) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("plain program runs")
	<-stop
	fmt.Println("plain program stops")
	return 0
}

// playReporter says what it was started with, and ends.
func playReporter(context.Context) int {
	_, told := os.LookupEnv(identityVar)
	dir, err := os.Getwd()
	if err != nil {
		return fail(err)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fail(err)
	}
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info("report",
		"memory", debug.SetMemoryLimit(-1), "procs", runtime.GOMAXPROCS(0), "dir", dir,
		"files", files.Cur, "manager", os.Getenv("NOTIFY_SOCKET")+os.Getenv("LISTEN_FDS"),
		"uid", os.Getuid(), "identity", told, "leader", syscall.Getpgrp() == os.Getpid())
	return 0
}
