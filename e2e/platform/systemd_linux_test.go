package platform

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAServiceManagerIsToldOfAServiceAndHearsNothingFromItsChildren(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := manager.SetReadDeadline(time.Now().Add(readyLimit)); err != nil {
		t.Fatal(err)
	}
	next := func() string {
		buf := make([]byte, 4096)
		n, err := manager.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	await := func(message string) {
		t.Helper()
		for heard := next(); !strings.HasPrefix(heard, message); heard = next() {
			t.Logf("heard %q", heard)
		}
	}

	topic := fmt.Sprintf("systemd-%d", time.Now().UnixNano())
	createTopic(t, platform.Brokers[0], topic)
	env := []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=2000000"}
	p, err := platform.StartService(t.Context(), "logproc", env, "--topics", topic, "--group", topic, "--instance-id", topic,
		"--dead-letter-topic", "", "--log-kafka-brokers", "", "--workers", "2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	await("READY=1")
	await("WATCHDOG=1")
	children := descendants(t, p.Pid())
	if len(children) < 2 {
		t.Errorf("%d children", len(children))
	}
	for _, child := range children {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", child))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(environ, []byte("NOTIFY_SOCKET=")) || bytes.Contains(environ, []byte("WATCHDOG_USEC=")) {
			t.Errorf("child %d would speak for its parent", child)
		}
	}
	stopWithin(t, p, frozenBudget)
	await("STOPPING=1")
	await("STATUS=stopped clean")
}
