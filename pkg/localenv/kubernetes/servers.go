//go:build linux

package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/kafka"
	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
)

// Ports of the servers on the first node.
const (
	postgresPort = 5432
	kafkaPort    = 9092
)

// Servers says where the servers for the pods are.
type Servers struct {
	// Postgres and Kafka are host:port.
	Postgres, Kafka string
	// PostgresURL is a file with the URL of PostgreSQL's superuser.
	PostgresURL string
}

// server is what the two have in common.
type server interface {
	Spec() daemon.Spec
	Ready(ctx context.Context) error
	LogFile() string
}

// StartServers starts PostgreSQL and Apache Kafka on the first node unless they
// run: as processes of the machine, which is to a pod what servers outside of
// the cluster are. They end with the node. Their data ends with the lab.
func (l *Lab) StartServers(ctx context.Context) (Servers, error) {
	unlock, err := l.lock(true)
	if err != nil {
		return Servers{}, err
	}
	defer unlock()
	n := l.node(1)
	if _, err := n.pid(); err != nil {
		return Servers{}, err
	}
	if err := makeDir(l.path("servers")); err != nil {
		return Servers{}, err
	}
	where := Servers{
		Postgres:    net.JoinHostPort(l.Address(), strconv.Itoa(postgresPort)),
		Kafka:       net.JoinHostPort(l.Address(), strconv.Itoa(kafkaPort)),
		PostgresURL: l.path("servers", "postgres.url"),
	}
	// Preparing is for servers that do not run: it mends what a killed one left.
	// Downloads happen there: the node has no way to the world.
	for _, s := range []struct {
		answers func(context.Context) error
		prepare func(context.Context) (server, error)
	}{{
		answers: func(ctx context.Context) error { return n.postgresAnswers(ctx, where) },
		prepare: func(ctx context.Context) (server, error) { return n.preparePostgres(ctx, where) },
	}, {
		answers: func(ctx context.Context) error { return kafka.Ping(ctx, where.Kafka, n.dial) },
		prepare: func(ctx context.Context) (server, error) {
			return kafka.Prepare(ctx, kafka.Config{
				Dir: l.path("servers", "kafka"), Host: l.Address(), Port: kafkaPort, Dial: n.dial, Progress: l.progress,
			})
		},
	}} {
		if s.answers(ctx) == nil {
			continue
		}
		prepared, err := s.prepare(ctx)
		if err != nil {
			return Servers{}, fmt.Errorf("prepare a server: %w", err)
		}
		if err := n.serve(ctx, prepared); err != nil {
			return Servers{}, err
		}
	}
	return where, nil
}

func (n node) postgresAnswers(ctx context.Context, where Servers) error {
	address, err := os.ReadFile(where.PostgresURL)
	if err != nil {
		return fmt.Errorf("read where postgres is: %w", err)
	}
	return postgres.Ping(ctx, string(address), n.dial)
}

func (n node) preparePostgres(ctx context.Context, where Servers) (server, error) {
	cluster, err := postgres.Prepare(ctx, postgres.Config{
		Dir: n.lab.path("servers", "postgres"), Host: n.lab.Address(), Port: postgresPort,
		Connections: 400, Dial: n.dial, Progress: n.lab.progress,
	})
	if err != nil {
		return nil, err
	}
	return cluster, os.WriteFile(where.PostgresURL, []byte(cluster.URL("postgres")), 0o600)
}

// serve starts the server on the node and waits until it answers.
func (n node) serve(ctx context.Context, s server) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	spec, err := n.inside(s.Spec())
	if err != nil {
		return err
	}
	n.lab.progress("starting " + spec.Name)
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", spec.Name, err)
	}
	spec.Output = log
	record, err := daemon.Detach(spec, "", n.path(spec.Name+".json"))
	if err = errors.Join(err, log.Close()); err != nil {
		return err
	}
	if err := record.Await(ctx, s.Ready); err != nil {
		return fmt.Errorf("%w: see %s", err, s.LogFile())
	}
	return nil
}

// inside turns a program of the machine into one of the node, under the same
// account.
func (n node) inside(spec daemon.Spec) (daemon.Spec, error) {
	pid, err := n.pid()
	if err != nil {
		return spec, err
	}
	path, err := exec.LookPath("nsenter")
	if err != nil {
		return spec, fmt.Errorf("%w: missing: nsenter", ErrMissing)
	}
	args := n.enter(pid, spec.Dir)
	if c := spec.Credential; c != nil {
		// Also drops supplementary groups.
		args = append([]string{"-S", strconv.Itoa(int(c.Uid)), "-G", strconv.Itoa(int(c.Gid))}, args...)
	}
	spec.Args = append(append(args, spec.Path), spec.Args...)
	spec.Path, spec.Dir, spec.Credential = path, "", nil
	return spec, nil
}

// dial connects from the node's network namespace. A socket belongs to the
// namespace in which it was made, wherever it is used.
func (n node) dial(ctx context.Context, network, address string) (net.Conn, error) {
	pid, err := n.pid()
	if err != nil {
		return nil, err
	}
	type result struct {
		conn net.Conn
		err  error
	}
	made := make(chan result, 1)
	go func() {
		// Never unlocked: the thread, which is in the node's namespace, ends with
		// the goroutine.
		runtime.LockOSThread()
		conn, err := dialFrom(ctx, pid, network, address)
		made <- result{conn, err}
	}()
	r := <-made
	return r.conn, r.err
}

// dialFrom moves the current thread into the network namespace of the process.
func dialFrom(ctx context.Context, pid int, network, address string) (net.Conn, error) {
	namespace, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDown, err)
	}
	err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET)
	if err = errors.Join(err, namespace.Close()); err != nil {
		return nil, fmt.Errorf("enter the node's network: %w", err)
	}
	// The address is a number, so one goroutine does it all, this one.
	return new(net.Dialer).DialContext(ctx, network, address)
}

// removeData removes what PostgreSQL placed outside of a lab's folder that its
// account cannot reach.
func (l *Lab) removeData() error {
	note, err := os.ReadFile(l.path("servers", "postgres", "postgres.elsewhere"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read where the database is: %w", err)
	}
	place, _, _ := strings.Cut(string(note), "\n")
	marked, err := os.ReadFile(filepath.Join(place, "mark"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(marked, note) {
		return nil // It is gone, or another's by now.
	}
	if err != nil {
		return fmt.Errorf("read whose database it is: %w", err)
	}
	if err := os.RemoveAll(place); err != nil {
		return fmt.Errorf("remove the database: %w", err)
	}
	return nil
}
