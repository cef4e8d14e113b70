// Package postgres runs a private PostgreSQL server for development and tests:
// installed binaries or downloaded ones, a data folder of its own, a free
// port, reachable on loopback unless asked otherwise, and never as root.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/pkg/localenv/account"
	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
)

// Superuser is the role that owns the cluster.
const Superuser = "postgres"

// Dial connects as net.Dialer's DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Config describes a cluster. Only Dir is required.
type Config struct {
	// Dir is the state folder. The cluster lives in it, or, when the account
	// that PostgreSQL runs under cannot reach it, in a folder that Dir names.
	Dir string
	// Port to listen on; 0 picks one that is free on loopback.
	Port int
	// Host is the address to listen on; empty is loopback, and right. On another
	// address whoever reaches it may log in by password.
	Host string
	// Dial, if not nil, is how this process reaches the server, for one in
	// another network namespace.
	Dial Dial
	// Durable keeps fsync on. Tests leave it off: their data may die with the
	// machine, not with the process.
	Durable bool
	// Connections is the most clients at once; 0 means 200.
	Connections int
	// Progress, if not nil, is told about steps that take seconds.
	Progress func(message string)
}

// Cluster is a prepared data folder. Its methods may be called concurrently,
// except Start.
type Cluster struct {
	config   Config
	binaries Binaries
	account  *account.Account
	home     string
	password string
	log      *os.File
	process  *daemon.Process
}

// Prepare finds binaries, makes the data folder when there is none, and
// recovers one whose server was killed. It does not start the server. Whoever
// calls it must be the only user of the state folder.
func Prepare(ctx context.Context, config Config) (*Cluster, error) {
	return prepareWith(ctx, config, func(major int) (Binaries, error) { return Find(ctx, major, config.Progress) })
}

func prepareWith(ctx context.Context, config Config, find func(major int) (Binaries, error)) (*Cluster, error) {
	who, err := account.Unprivileged()
	if err != nil {
		return nil, err
	}
	c := &Cluster{config: config, account: who}
	if c.config.Dir, err = filepath.Abs(config.Dir); err != nil {
		return nil, fmt.Errorf("resolve the state folder: %w", err)
	}
	if c.home, err = c.settle(); err != nil {
		return nil, err
	}
	major, err := c.dataVersion()
	if err != nil {
		return nil, err
	}
	if c.binaries, err = find(major); err != nil {
		return nil, err
	}
	if major == 0 {
		err = c.initialise(ctx)
	} else {
		err = c.recover(ctx)
	}
	if err != nil {
		return nil, err
	}
	if c.config.Port, err = freeport.Or(ctx, config.Port); err != nil {
		return nil, err
	}
	if c.password, err = c.readPassword(); err != nil {
		return nil, err
	}
	return c, c.admit()
}

// Spec is the command that runs the server in the foreground. SIGINT is
// PostgreSQL's fast shutdown (open transactions are rolled back, a checkpoint
// is written), SIGQUIT its immediate one, which the next start recovers from.
func (c *Cluster) Spec() daemon.Spec {
	return daemon.Spec{
		Name: "postgres",
		Path: filepath.Join(c.binaries.Dir, "postgres"),
		Args: c.settings(),
		Env:  environment(),
		Dir:  c.home,

		Credential:  c.account.Credential(),
		StopSignal:  syscall.SIGINT,
		DeathSignal: syscall.SIGQUIT,
	}
}

// Start starts the server as a child of this process and waits until it
// answers. The child ends when this process does, however that ends.
func (c *Cluster) Start(ctx context.Context) error {
	log, err := os.OpenFile(c.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	spec := c.Spec()
	spec.Output = log
	process, err := daemon.Start(spec)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	if err := process.Await(ctx, c.Ready); err != nil {
		killed, cancel := context.WithCancel(ctx)
		cancel()
		_ = process.Stop(killed) // Already failing: the first error counts.
		return fmt.Errorf("%w\n%s", errors.Join(err, log.Close()), c.logTail())
	}
	c.log, c.process = log, process
	return nil
}

// Stop ends the server that Start started.
func (c *Cluster) Stop(ctx context.Context) error {
	if c.process == nil {
		return nil
	}
	return errors.Join(c.process.Stop(ctx), c.log.Close())
}

// Ready returns nil when the server accepts connections.
func (c *Cluster) Ready(ctx context.Context) error {
	return Ping(ctx, c.URL("postgres"), c.config.Dial)
}

// Ping returns nil when the server at the URL accepts connections. Dial may be
// nil.
func Ping(ctx context.Context, address string, dial Dial) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return errors.New("the URL of postgres makes no sense") // It holds a password.
	}
	if dial != nil {
		config.DialFunc = pgconn.DialFunc(dial)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	return conn.Close(ctx)
}

// URL addresses the database as the superuser. It holds a password: never log
// it.
func (c *Cluster) URL(database string) string {
	return c.RoleURL(Superuser, c.password, database)
}

// RoleURL addresses the database under another role.
func (c *Cluster) RoleURL(role, password, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + database,
		Host: c.Address(), RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Address is the server's host:port.
func (c *Cluster) Address() string {
	return net.JoinHostPort(c.host(), strconv.Itoa(c.config.Port))
}

func (c *Cluster) host() string {
	if c.config.Host == "" {
		return "127.0.0.1"
	}
	return c.config.Host
}

// Port is the port it listens on.
func (c *Cluster) Port() int { return c.config.Port }

// Binaries tells which PostgreSQL runs.
func (c *Cluster) Binaries() Binaries { return c.binaries }

// LogFile is where a server started by Start writes.
func (c *Cluster) LogFile() string { return filepath.Join(c.config.Dir, "postgres.log") }

func (c *Cluster) data() string { return filepath.Join(c.home, "data") }

// dataVersion returns 0 when there is no finished data folder.
func (c *Cluster) dataVersion() (int, error) {
	raw, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the data folder: %w", err)
	}
	if _, err := os.Stat(c.passwordFile()); err != nil {
		return 0, fmt.Errorf("the data folder %s has lost its password file: start anew with an empty state folder", c.data())
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("the data folder %s is damaged (PG_VERSION): start anew with an empty state folder", c.data())
	}
	return major, nil
}

func (c *Cluster) logTail() []byte {
	raw, err := os.ReadFile(c.LogFile())
	if err != nil {
		return nil
	}
	const most = 2000
	raw = raw[max(0, len(raw)-most):]
	return bytes.TrimSpace(raw)
}
