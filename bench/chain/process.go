package chain

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// process is a server process, with a connection to each of its servers.
type process struct {
	cmd        *exec.Cmd
	stdin      io.WriteCloser
	lines      *bufio.Scanner
	bearer     string
	full, peer *grpc.ClientConn
}

// start runs this program as a server with so many processors; 0 is all.
func start(ctx context.Context, redisAddr string, processors int) (p *process, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	p = &process{cmd: exec.CommandContext(ctx, self, Child, redisAddr)}
	p.cmd.Stderr = os.Stderr
	if processors > 0 {
		p.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(processors))
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	p.lines = bufio.NewScanner(stdout)
	line, err := p.line()
	if err != nil {
		return nil, err
	}
	var at endpoints
	if err := json.Unmarshal(line, &at); err != nil {
		return nil, fmt.Errorf("server process: %w", err)
	}
	p.bearer = at.Bearer
	for conn, addr := range map[**grpc.ClientConn]string{&p.full: at.Full, &p.peer: at.Peer} {
		if *conn, err = grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
	}
	return p, nil
}

func (p *process) line() ([]byte, error) {
	if !p.lines.Scan() {
		return nil, errors.Join(errors.New("the server process ended"), p.lines.Err())
	}
	return p.lines.Bytes(), nil
}

// used asks how much processor time the process has used.
func (p *process) used() (time.Duration, error) {
	if _, err := fmt.Fprintln(p.stdin); err != nil {
		return 0, fmt.Errorf("server process: %w", err)
	}
	line, err := p.line()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(line), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("server process: %w", err)
	}
	return time.Duration(n), nil
}

func (p *process) close() {
	for _, conn := range []*grpc.ClientConn{p.full, p.peer} {
		if conn != nil {
			_ = conn.Close()
		}
	}
	_ = p.stdin.Close() // ends it
	_ = p.cmd.Wait()
}
