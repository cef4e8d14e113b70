package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/httpserver"
	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }

// memory is a listener whose connections are pipes, which synctest can see through.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), done: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (m *memory) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.done:
		return nil, errors.New("closed")
	}
}

type fixture struct {
	t    *testing.T
	g    *lifecycle.Group
	lis  *memory
	done chan error
}

func newFixture(t *testing.T, handler http.HandlerFunc) *fixture {
	t.Helper()
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard), lifecycle.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, g: g, lis: newMemory(), done: make(chan error, 1)}
	srv := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), ReadHeaderTimeout: time.Minute}
	if err := httpserver.Add(g, "http", srv, f.lis); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) start() {
	go func() { f.done <- f.g.Run(f.t.Context()) }()
	<-f.g.Started()
}

// stop stops the group and returns how long that took.
func (f *fixture) stop() (time.Duration, error) {
	begin := time.Now()
	f.g.Shutdown(nil)
	err := <-f.done
	return time.Since(begin), err
}

// get sends a request and returns the status of the response.
func (f *fixture) get(path string) <-chan string {
	status := make(chan string, 1)
	go func() {
		conn, err := f.lis.dial()
		if err != nil {
			status <- err.Error()
			return
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			status <- err.Error()
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			status <- err.Error()
			return
		}
		resp.Body.Close()
		status <- resp.Status
	}()
	return status
}

func (f *fixture) part(name string) lifecycle.PartReport {
	f.t.Helper()
	for _, ph := range f.g.Report().Phases {
		for _, p := range ph.Parts {
			if p.Name == name {
				return p
			}
		}
	}
	f.t.Fatalf("no part %q", name)
	return lifecycle.PartReport{}
}

func TestRequestsInFlightAreDrainedAndNewOnesRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(http.ResponseWriter, *http.Request) { <-time.After(7 * time.Second) })
		f.start()
		running := f.get("/slow")
		synctest.Wait()
		go func() {
			<-f.g.Stopping()
			<-time.After(time.Second)
			if got := <-f.get("/late"); got != "closed" {
				t.Errorf("a late request: %s", got)
			}
		}()
		if took, err := f.stop(); err != nil || took > 8*time.Second {
			t.Errorf("took %v, %v", took, err)
		}
		if got := <-running; got != "200 OK" {
			t.Errorf("the request in flight: %s", got)
		}
	})
}

func TestAnIdleServerStopsAtOnceAndOneWithASilentClientAfterASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(http.ResponseWriter, *http.Request) {})
		f.start()
		if took, err := f.stop(); err != nil || took > 50*time.Millisecond {
			t.Errorf("idle: took %v, %v", took, err)
		}
		f = newFixture(t, func(http.ResponseWriter, *http.Request) {})
		f.start()
		conn, err := f.lis.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		synctest.Wait()
		if took, err := f.stop(); err != nil || took > 1100*time.Millisecond {
			t.Errorf("silent client: took %v, %v", took, err)
		}
	})
}

func TestARequestThatOutlivesTheBudgetIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		f.start()
		running := f.get("/forever")
		synctest.Wait()
		_, err := f.stop()
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline || f.part("http").Outcome != lifecycle.Forced {
			t.Errorf("exit code %d: %v", code, err)
		}
		if got := <-running; !strings.Contains(got, "EOF") {
			t.Errorf("the client got %s", got)
		}
	})
}

func TestAHandlerThatIgnoresItsContextIsNamedWithoutItsQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFixture(t, func(http.ResponseWriter, *http.Request) { <-release })
		f.start()
		running := f.get("/stuck?token=secret")
		synctest.Wait()
		_, err := f.stop()
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d: %v", code, err)
		}
		for _, name := range []string{"http", "http/handlers"} {
			if p := f.part(name); p.Outcome == lifecycle.Clean || len(p.Stuck) != 1 || !strings.HasPrefix(p.Stuck[0], `GET "/stuck" from `) {
				t.Errorf("%+v", p)
			}
		}
		close(release)
		<-running
		<-time.After(time.Second) // for the part that was abandoned to notice
	})
}

func TestAListenerThatFailsStopsTheGroupAndOneThatNeverServedIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.start()
		_ = f.lis.Close()
		if err := <-f.done; lifecycle.ExitCode(err) != lifecycle.ExitError || !strings.Contains(err.Error(), `http server "http"`) {
			t.Errorf("got %v", err)
		}
		f = newFixture(t, nil)
		f.g.Shutdown(nil)
		if err := f.g.Run(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := f.lis.dial(); err == nil {
			t.Error("the listener is open")
		}
	})
}
