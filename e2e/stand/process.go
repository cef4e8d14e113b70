package stand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/leak"
)

// Process is a program that this one started. Its process group dies with it.
type Process struct {
	// GRPC and HTTP are the bound addresses, if the program announces them.
	GRPC string `json:"grpc"`
	HTTP string `json:"http"`

	cmd    *exec.Cmd
	done   chan struct{}
	err    error
	stderr *tail
}

// readyLimit bounds the start of a process.
const readyLimit = 60 * time.Second

// StartService starts a binary of the folder with --addr-file and waits until
// it is ready. env is added to this program's environment.
func (s *Stand) StartService(ctx context.Context, name string, env []string, args ...string) (*Process, error) {
	p, err := s.Launch(ctx, name, env, args...)
	if err != nil {
		return nil, err
	}
	if err := p.AwaitReady(ctx); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, p.stderr.String())
	}
	return p, nil
}

// Launch starts a binary of the folder and waits until it listens, which it
// does before it is ready.
func (s *Stand) Launch(ctx context.Context, name string, env []string, args ...string) (*Process, error) {
	dir, err := os.MkdirTemp("", "curfew-stand-*")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "addr.json")
	args = append(args, "--addr-file", file, "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0")
	p, err := Start(filepath.Join(s.Bin, name), env, args...)
	if err != nil {
		return nil, err
	}
	written := func() bool {
		content, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(content, p) == nil
	}
	if err := p.await(ctx, written); err != nil {
		p.Kill()
		return nil, fmt.Errorf("start %s: %w\n%s", name, err, p.stderr.String())
	}
	return p, nil
}

// AwaitReady waits until the process may get traffic.
func (p *Process) AwaitReady(ctx context.Context) error {
	return p.await(ctx, func() bool { return p.isReady(ctx) })
}

// await waits for a condition of a running process, for readyLimit at most.
func (p *Process) await(ctx context.Context, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			if is() {
				return nil
			}
		case <-p.done:
			return fmt.Errorf("ended before it was ready: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", context.Cause(ctx))
		}
	}
}

// isReady asks the HTTP edge whether the process may get traffic: the feed of
// revocations may come a moment after the start.
func (p *Process) isReady(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTP+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

// Start starts a program in a process group of its own. What it writes to
// standard error must not hold secrets: see package leak.
func Start(path string, env []string, args ...string) (*Process, error) {
	cmd := exec.Command(path, args...) //nolint:noctx // Its owner decides between SIGTERM and SIGKILL.
	p := &Process{cmd: cmd, done: make(chan struct{}), stderr: &tail{}}
	said := leak.Writer(filepath.Base(path), p.stderr)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
		_ = said.Close() // Looks at what followed the last line end.
	}()
	return p, nil
}

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process alone.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	return nil
}

// Stderr is the end of what the process wrote to standard error.
func (p *Process) Stderr() string { return p.stderr.String() }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the process ended; it is valid once Done is closed.
func (p *Process) Err() error { return p.err }

// Stop sends SIGTERM, and SIGKILL to the whole group when the grace is over, as
// a kubelet does. It returns how long the process took to end and whether it
// had to be killed.
func (p *Process) Stop(grace time.Duration) (took time.Duration, killed bool, err error) {
	start := time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, false, err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return time.Since(start), false, nil
	case <-timer.C:
		p.Kill()
		return time.Since(start), true, nil
	}
}

// Kill sends SIGKILL to the process group and waits.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// tail keeps the last 64 KiB that are written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailSize = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if over := t.buf.Len() - tailSize; over > 0 {
		t.buf.Next(over)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
