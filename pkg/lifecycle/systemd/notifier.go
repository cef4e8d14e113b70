package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// sendTime bounds one message. The queue of a service manager that does not read is full at some time, and writing to
// it would block.
const sendTime = 500 * time.Millisecond

// environment is what a service manager says to its child.
type environment struct {
	socket   string        // empty if there is no service manager
	watchdog time.Duration // 0 if nobody watches this process
}

// takeEnvironment reads the variables of the protocol and removes them, so that children don't speak for this process.
func takeEnvironment() (environment, error) {
	var env environment
	env.socket = os.Getenv("NOTIFY_SOCKET")
	usec, pid := os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		if err := os.Unsetenv(name); err != nil {
			return env, fmt.Errorf("systemd: %w", err)
		}
	}
	if env.socket == "" {
		return env, nil
	}
	if !strings.HasPrefix(env.socket, "/") && !strings.HasPrefix(env.socket, "@") {
		return env, errors.New("systemd: NOTIFY_SOCKET is neither a path nor an abstract name")
	}
	if usec == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return env, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n < 1 || n > int64(maxWatchdog/time.Microsecond) {
		return env, fmt.Errorf("systemd: WATCHDOG_USEC is %.40q, expected microseconds up to %v", usec, maxWatchdog)
	}
	env.watchdog = time.Duration(n) * time.Microsecond
	return env, nil
}

// maxWatchdog keeps intervals in the range of time.Duration.
const maxWatchdog = 365 * 24 * time.Hour

// send sends one message to the socket: lines of NAME=value. There is no answer.
func send(socket, message string) error {
	// net turns a leading @ into the zero byte of an abstract name.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	defer func() { _ = conn.Close() }() // what was written has arrived
	if err := conn.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	if _, err := conn.Write([]byte(message)); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	return nil
}
