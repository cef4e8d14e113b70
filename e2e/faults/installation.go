package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
	"github.com/curfew-platform/curfew/pkg/server/guard"
)

// Installation is what is broken.
type Installation struct {
	Auths    []*Server
	Replicas []*Server
	// Links from a replica to a server of the feed, by their numbers.
	Links [][]*Proxy
	// Stores are the links from a server of the feed to the database.
	Stores []*Proxy

	dir     string
	signal  string // the file that makes the database a standby
	source  string // of revocations, of replicas that start
	cluster *postgres.Cluster
	proxies []*Proxy
	probe   *probe
	secrets secrets
}

// Server is one process of the installation and the ones that come after it.
type Server struct {
	Name string
	// Conn is what clients call it by, whichever process it is.
	Conn *grpc.ClientConn

	launch func(context.Context) (*stand.Process, error)
	front  *Proxy

	disturbed atomic.Int64

	mu        sync.Mutex
	process   *stand.Process
	processes int // that were started
	followers []*Proxy
}

// Options of an installation. Self is the program that runs a replica when its
// environment says so.
type Options struct {
	Auths, Replicas int
	Bin             string // folder of the service binaries
	Self            string
	SelfEnv         []string
}

// Start starts an installation in dir and waits until all of it is ready.
func Start(ctx context.Context, dir string, o Options) (i *Installation, err error) {
	i = &Installation{dir: dir, source: guard.Feed, probe: startProbe()}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.Close())
		}
	}()
	if err = os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // PostgreSQL runs as another user.
		return i, fmt.Errorf("make the folder: %w", err)
	}
	if i.secrets, err = newSecrets(dir); err != nil {
		return i, err
	}
	if i.cluster, err = postgres.Prepare(ctx, postgres.Config{Dir: filepath.Join(dir, "postgres")}); err != nil {
		return i, err
	}
	if err = i.cluster.Start(ctx); err != nil {
		return i, err
	}
	auth := &stand.Stand{Bin: o.Bin}
	if err = i.schema(ctx, auth); err != nil {
		return i, err
	}
	for n := range o.Auths {
		if err = i.addAuth(ctx, auth, n); err != nil {
			return i, err
		}
	}
	probe := &stand.Stand{Bin: filepath.Dir(o.Self)}
	for n := range o.Replicas {
		if err = i.addReplica(ctx, probe, filepath.Base(o.Self), o.SelfEnv, n); err != nil {
			return i, err
		}
	}
	return i, i.startAll(ctx)
}

func (i *Installation) startAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range append(append([]*Server(nil), i.Auths...), i.Replicas...) {
		g.Go(func() error {
			if err := s.Start(ctx); err != nil {
				return err
			}
			return s.AwaitReady(ctx)
		})
	}
	return g.Wait()
}

// schema migrates the database and makes the administrator.
func (i *Installation) schema(ctx context.Context, auth *stand.Stand) error {
	env := append(i.secrets.env(), "CURFEW_AUTH_DATABASE_URL="+i.cluster.URL("postgres"))
	for _, args := range [][]string{
		{"migrate", "--migrate-database-url", i.cluster.URL("postgres"), "--database-url", ""},
		{"seed", "--file", i.secrets.users},
	} {
		p, err := stand.Start(filepath.Join(auth.Bin, "auth"), env, args...)
		if err != nil {
			return err
		}
		select {
		case <-p.Done():
		case <-ctx.Done():
			p.Kill()
			return context.Cause(ctx)
		}
		if err := p.Err(); err != nil {
			return fmt.Errorf("auth %s: %w\n%s", args[0], err, p.Stderr())
		}
	}
	return nil
}

func (i *Installation) addAuth(ctx context.Context, auth *stand.Stand, n int) error {
	store, err := i.proxy(ctx, i.cluster.Address())
	if err != nil {
		return err
	}
	url, err := via(i.cluster.URL("postgres"), store)
	if err != nil {
		return err
	}
	s, err := i.server(ctx, fmt.Sprintf("auth-%d", n), func(ctx context.Context) (*stand.Process, error) {
		return auth.Launch(ctx, "auth", append(i.secrets.env(), "CURFEW_AUTH_DATABASE_URL="+url), "--register-rate", "0", "--password-concurrency", "1")
	})
	if err != nil {
		return err
	}
	i.Stores = append(i.Stores, store)
	i.Auths = append(i.Auths, s)
	return nil
}

func (i *Installation) addReplica(ctx context.Context, probe *stand.Stand, program string, env []string, n int) error {
	var links []*Proxy
	var addresses []string
	for _, auth := range i.Auths {
		link, err := i.proxy(ctx, "")
		if err != nil {
			return err
		}
		links = append(links, link)
		addresses = append(addresses, link.Addr())
		auth.follow(link)
	}
	s, err := i.server(ctx, fmt.Sprintf("replica-%d", n), func(ctx context.Context) (*stand.Process, error) {
		return probe.Launch(ctx, program, append(env, i.secrets.probe()...), "--auth-addr", strings.Join(addresses, ","), "--replica-id", fmt.Sprint(n),
			"--revocation", i.source)
	})
	if err != nil {
		return err
	}
	i.Links = append(i.Links, links)
	i.Replicas = append(i.Replicas, s)
	return nil
}

func (i *Installation) proxy(ctx context.Context, target string) (*Proxy, error) {
	p, err := NewProxy(ctx, target)
	if err == nil {
		i.proxies = append(i.proxies, p)
	}
	return p, err
}

// Blind replaces a replica by one that knows no revocations, for as long as do
// runs: what an oracle must find.
func (i *Installation) Blind(ctx context.Context, s *Server, do func() error) error {
	replace := func(source string) error {
		s.Kill()
		i.source = source
		if err := s.Start(ctx); err != nil {
			return err
		}
		return s.AwaitReady(ctx)
	}
	if err := replace(guard.None); err != nil {
		return err
	}
	return errors.Join(do(), replace(guard.Feed))
}

// StopDatabase stops the server cleanly; RestartDatabase starts it again.
func (i *Installation) StopDatabase(ctx context.Context) error { return i.cluster.Stop(ctx) }

// RestartDatabase stops the server, cleanly or as a crash, and starts it again.
func (i *Installation) RestartDatabase(ctx context.Context, crash bool) error {
	stop, cancel := context.WithCancel(ctx)
	if crash {
		cancel() // no patience: killed
	}
	err := i.cluster.Stop(stop)
	cancel()
	if err != nil && !crash {
		return err
	}
	// What is left of a crashed server's children holds its memory for a moment.
	ctx, cancel = context.WithTimeout(ctx, startLimit)
	defer cancel()
	err = i.startDatabase(ctx)
	for err != nil && ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		err = i.startDatabase(ctx)
	}
	return err
}

func (i *Installation) startDatabase(ctx context.Context) error {
	cluster, err := postgres.Prepare(ctx, postgres.Config{Dir: filepath.Join(i.dir, "postgres"), Port: i.cluster.Port()})
	if err != nil {
		return err
	}
	i.cluster = cluster
	return cluster.Start(ctx)
}

// Heal makes every link whole.
func (i *Installation) Heal() {
	for _, p := range i.proxies {
		p.Heal()
	}
}

// Close ends all processes, and the files with them.
func (i *Installation) Close() error {
	i.probe.stop()
	var errs []error
	for _, s := range append(append([]*Server(nil), i.Replicas...), i.Auths...) {
		s.Kill()
		errs = append(errs, s.Conn.Close())
	}
	for _, p := range i.proxies {
		p.Close()
	}
	if i.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		errs = append(errs, i.cluster.Stop(ctx))
	}
	return errors.Join(append(errs, os.RemoveAll(i.dir))...)
}
