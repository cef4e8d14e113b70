package grpcserver_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

var silent = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outcome finds a part in the report.
func outcome(t *testing.T, r lifecycle.Report, name string) lifecycle.PartReport {
	t.Helper()
	for _, ph := range r.Phases {
		for _, p := range ph.Parts {
			if p.Name == name {
				return p
			}
		}
	}
	t.Errorf("no part %q in the report", name)
	return lifecycle.PartReport{}
}

func TestAnIdleServerWithHealthyClientsStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		if err := <-call(t.Context(), conn, "1ms"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 50*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestHealthIsServingOnlyBetweenStartAndAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil, lifecycle.WithPropagation(3*time.Second))
		check := func(service string, want healthpb.HealthCheckResponse_ServingStatus) {
			t.Helper()
			r, err := f.health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || r.GetStatus() != want {
				t.Errorf("health of %q is %v (%v), not %v", service, r.GetStatus(), err, want)
			}
		}
		check("", healthpb.HealthCheckResponse_NOT_SERVING)
		wait := f.run(t.Context())
		check("", healthpb.HealthCheckResponse_SERVING)
		check("curfew.test.Work", healthpb.HealthCheckResponse_SERVING)
		f.g.Shutdown(nil)
		synctest.Wait()
		check("", healthpb.HealthCheckResponse_NOT_SERVING)
		conn := f.dial(t)
		defer conn.Close()
		if err := <-call(t.Context(), conn, "1ms"); err != nil {
			t.Errorf("not served while the news spreads: %v", err)
		}
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnOpenHealthWatchHearsTheNewsAndDoesNotHoldUpTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := watch.Recv(); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Fatal(r, err)
		}
		begin := time.Now()
		f.g.Shutdown(nil)
		var last healthpb.HealthCheckResponse_ServingStatus
		for {
			r, err := watch.Recv()
			if err != nil {
				break
			}
			last = r.GetStatus()
		}
		if last != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("the watch ended with %v", last)
		}
		if err := wait(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 50*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestCallsInFlightAreDrainedAndNewOnesRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		running := call(t.Context(), conn, "8s")
		synctest.Wait()
		begin := time.Now()
		f.g.Shutdown(nil)
		synctest.Wait()
		if err := <-call(t.Context(), conn, "1ms"); status.Code(err) != codes.Unavailable {
			t.Errorf("a call after GOAWAY: %v", err)
		}
		if err := <-running; err != nil {
			t.Errorf("the call in flight: %v", err)
		}
		if err := wait(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 8100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if p := outcome(t, f.g.Report(), "grpc"); *p.RemainingBefore != 1 || *p.RemainingAfter != 0 {
			t.Errorf("remaining %d -> %d", *p.RemainingBefore, *p.RemainingAfter)
		}
	})
}

func TestTheGroupPredictsHowLongItsCallsWillTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		running := call(t.Context(), conn, "8s")
		time.Sleep(7500 * time.Millisecond)
		p := f.g.Predict()
		if part := p.Phases[lifecycle.Drain-1].Parts[0]; part.Name != "grpc" || part.Remaining != 1 || part.Unit != "in flight" || part.Need != 6*time.Second {
			t.Errorf("%+v", part)
		}
		if err := <-running; err != nil {
			t.Error(err)
		}
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestAFrozenClientCostsOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		// A client that has said hello and then reads and writes nothing any more, not even the answer to a ping.
		frozen, err := f.lis.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer frozen.Close()
		if _, err := frozen.Write(clientHello); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begin := time.Now()
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 1100*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// clientHello is the preface of HTTP/2 and an empty SETTINGS frame.
var clientHello = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")

func TestAClientThatNeverSaysHelloDoesNotHoldUpGoaway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		silentClient, err := f.lis.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer silentClient.Close()
		conn := f.dial(t)
		defer conn.Close()
		if err := <-call(t.Context(), conn, "1ms"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 200*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestAStreamThatOutlivesTheBudgetIsCutAndItsHandlerAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		stream := openStream(t.Context(), t, conn, "obey")
		f.g.Shutdown(nil)
		err := wait()
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d of %v", code, err)
		}
		if f.work.count() != 0 {
			t.Error("a handler still runs")
		}
		if err := stream.RecvMsg(nil); status.Code(err) != codes.Unavailable {
			t.Errorf("the client got %v", err)
		}
		if p := outcome(t, f.g.Report(), "grpc"); p.Outcome != lifecycle.Forced {
			t.Errorf("%+v", p)
		}
	})
}

func TestAHandlerThatIgnoresItsContextIsNamedWithMethodAndPeerBeforeAnythingCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFixture(t, release)
		var closedAt time.Time
		if err := f.g.Add(lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: func(context.Context) error {
			closedAt = time.Now()
			return nil
		}}); err != nil {
			t.Fatal(err)
		}
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		done := call(t.Context(), conn, "ignore")
		synctest.Wait()
		begin := time.Now()
		f.g.Shutdown(nil)
		err := wait()
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d of %v", code, err)
		}
		r := f.g.Report()
		for _, name := range []string{"grpc", "grpc/handlers"} {
			p := outcome(t, r, name)
			if p.Outcome == lifecycle.Clean || len(p.Stuck) != 1 || !strings.Contains(p.Stuck[0], doMethod+" from bufconn") {
				t.Errorf("%+v", p)
			}
		}
		plan := f.g.Plan()
		if waited := closedAt.Sub(begin); waited < plan.Longest(lifecycle.Drain)+plan.Budget(lifecycle.Leave).Min {
			t.Errorf("the pool was closed after %v, under a handler that had time left", waited)
		}
		close(release)
		if err := <-done; status.Code(err) != codes.Unavailable {
			t.Errorf("the client got %v", err)
		}
	})
}

func TestAServerThatNeverServedGivesItsListenerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		if err := f.g.Add(lifecycle.Part{Name: "broken", Phase: lifecycle.Close, Start: func(context.Context) error { return io.ErrUnexpectedEOF }}); err != nil {
			t.Fatal(err)
		}
		if code := lifecycle.ExitCode(f.g.Run(t.Context())); code != lifecycle.ExitError {
			t.Errorf("exit code %d", code)
		}
		if _, err := f.lis.DialContext(t.Context()); err == nil {
			t.Error("the listener is open")
		}
	})
}

func TestAListenerThatFailsStopsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		if err := f.lis.Close(); err != nil {
			t.Fatal(err)
		}
		if err := wait(); lifecycle.ExitCode(err) != lifecycle.ExitError || !strings.Contains(err.Error(), `grpc server "grpc"`) {
			t.Errorf("got %v", err)
		}
	})
}
