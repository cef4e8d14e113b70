package systemd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// listen opens the socket of a service manager.
func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// read returns the next message.
func read(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestARealSocketHearsTheWholeLifeOfAGroup(t *testing.T) {
	sockets := map[string]string{"a path": filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" {
		sockets["an abstract one"] = "@curfew-notify-" + strconv.Itoa(os.Getpid())
	}
	for name, socket := range sockets {
		t.Run(name, func(t *testing.T) {
			conn := listen(t, socket)
			t.Setenv("NOTIFY_SOCKET", socket)
			t.Setenv("WATCHDOG_USEC", "60000000")
			t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
			g := newGroup(t)
			n, err := Add(g)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- g.Run(context.Background()) }()
			var heard []string
			for !slices.Contains(heard, "READY=1") { // it is not said any more once the stop has begun
				heard = append(heard, read(t, conn))
			}
			g.Shutdown(nil)
			if err := <-done; err != nil {
				t.Error(err)
			}
			n.Finished(g.Report())
			for !strings.HasPrefix(heard[len(heard)-1], "STATUS=stopped") {
				heard = append(heard, read(t, conn))
			}
			text := strings.Join(heard, " ")
			for _, want := range []string{"WATCHDOG=1", "READY=1", "STOPPING=1", "STATUS=stopped clean"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in %q", want, text)
				}
			}
		})
	}
}

func TestChildrenDoNotSpeakForTheProcess(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	listen(t, socket)
	vars := map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
	for name, value := range vars {
		t.Setenv(name, value)
	}
	n, err := Add(newGroup(t))
	if err != nil {
		t.Fatal(err)
	}
	if n.watchdog != 0 {
		t.Error("it answers a watchdog that watches another process")
	}
	for name := range vars {
		if _, set := os.LookupEnv(name); set {
			t.Errorf("%s is still set", name)
		}
	}
}

func TestNothingIsDoneWithoutAServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	g := newGroup(t)
	n, err := Add(g)
	if n != nil || err != nil {
		t.Errorf("%v, %v", n, err)
	}
	g.Shutdown(nil)
	if err := g.Run(t.Context()); err != nil {
		t.Error(err)
	}
	for _, ph := range g.Report().Phases {
		if len(ph.Parts) != 0 {
			t.Errorf("%+v", ph.Parts)
		}
	}
	n.Finished(g.Report())
}

func TestAnEnvironmentThatMakesNoSenseIsRefused(t *testing.T) {
	for _, env := range []map[string]string{
		{"NOTIFY_SOCKET": "vsock:2:1234"},
		{"NOTIFY_SOCKET": "relative"},
		{"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "soon"},
		{"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "0"},
		{"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "-5"},
		{"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "9223372036854775807"},
	} {
		for name, value := range env {
			t.Setenv(name, value)
		}
		if _, err := Add(newGroup(t)); err == nil {
			t.Errorf("%v: accepted", env)
		}
	}
	if _, err := Add(nil); err == nil {
		t.Error("no group: accepted")
	}
}

func TestAManagerThatCanNotBeToldOfTheStartFailsIt(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	g := newGroup(t)
	if _, err := Add(g); err != nil {
		t.Fatal(err)
	}
	if code := lifecycle.ExitCode(g.Run(t.Context())); code != lifecycle.ExitError {
		t.Errorf("exit code %d", code)
	}
}

func TestAManagerThatDoesNotReadHoldsUpNothing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn := listen(t, socket)
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) })
	}
	t.Setenv("NOTIFY_SOCKET", socket)
	g := newGroup(t)
	n, err := Add(g)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(context.Background()) }()
	for read(t, conn) != "READY=1" { // from here on nobody reads; a READY=1 that is not heard stops the group
	}
	full := false
	for range 1 << 16 {
		if full = n.send("STATUS="+strings.Repeat("x", 200)) != nil; full {
			break
		}
	}
	if !full {
		t.Fatal("the queue of the socket has no end")
	}
	begin := time.Now()
	g.Shutdown(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
