// Package redis runs an installed redis-server for tests: loopback only, no
// persistence.
package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
)

// ErrMissing reports that redis-server is not installed.
var ErrMissing = errors.New("missing program: redis-server: `make setup-system` installs it on Debian-like systems")

// Server is a prepared server. It holds no process.
type Server struct {
	dir  string
	port int
	path string
}

// Prepare finds the program and makes the state folder. Port 0 picks a free
// one.
func Prepare(ctx context.Context, dir string, port int) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrMissing
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("resolve the state folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	if port, err = freeport.Or(ctx, port); err != nil {
		return nil, err
	}
	return &Server{dir: dir, port: port, path: path}, nil
}

// Spec is the command that runs the server in the foreground.
func (s *Server) Spec() daemon.Spec {
	return daemon.Spec{
		Name: "redis", Path: s.path, Dir: s.dir,
		Args: []string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir,
			"--save", "", "--appendonly", "no", "--daemonize", "no",
		},
	}
}

// Ready returns nil when the server answers PING.
func (s *Server) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address())
	if err != nil {
		return fmt.Errorf("connect to redis: %w", err)
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return fmt.Errorf("ask redis: %w", err)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return fmt.Errorf("ask redis: %w", err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("ask redis: %w", err)
	}
	if strings.TrimSpace(answer) != "+PONG" {
		return fmt.Errorf("ask redis: it answered %q", answer)
	}
	return nil
}

// Address is the server's host:port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// LogFile is where a started server's output belongs.
func (s *Server) LogFile() string { return filepath.Join(s.dir, "redis.log") }
