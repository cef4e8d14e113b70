package dev

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/console"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/database"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/router"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/topic"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/httpserver"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
)

// runner puts the environment onto a group. What starts first stops last:
//
//	Close     PostgreSQL
//	Leave     broker; databases and migrations
//	Commit    topics, seeded users
//	Drain     auth, orders, logproc, HTTP router
//	Announce  tokens, the file env, the command
type runner struct {
	*environment

	group  *lifecycle.Group
	show   *console.Console
	log    *slog.Logger
	stdout io.Writer
	admin  string // The database server's URL.
	status int    // Of the command.
}

func (r *runner) compose(command []string) error {
	for _, add := range []func() error{
		r.addPostgres, r.addBroker, r.addDatabases, r.addContent, r.addServices, r.addRouter,
		func() error { return r.addAnnouncement(command) },
	} {
		if err := add(); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) addPostgres() error {
	if r.admin = r.flags.DatabaseURL; r.admin != "" {
		return r.export(r.admin)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // A download included.
	defer cancel()
	done := r.show.Step("PostgreSQL prepared")
	cluster, err := postgres.Prepare(ctx, postgres.Config{
		Dir: r.folder.Path(), Port: r.ports.postgres, Durable: true,
		Progress: func(message string) { r.show.Printf("%s", message) },
	})
	if done(err); err != nil {
		return err
	}
	r.admin = cluster.URL("postgres")
	if err := r.export(r.admin); err != nil {
		return err
	}
	spec := cluster.Spec()
	_, err = supervisor.Add(r.group, supervisor.Spec{
		Name: "postgres", Plain: true, Path: spec.Path, Args: spec.Args, Env: spec.Env, Dir: spec.Dir,
		Credential: spec.Credential, Ready: r.timed("PostgreSQL "+strconv.Itoa(cluster.Binaries().Major), cluster.Ready),
		StopSignal: spec.StopSignal, DeathSignal: spec.DeathSignal,
		StopPhase: lifecycle.Close, Log: r.log,
	})
	return err
}

func (r *runner) addBroker() error {
	if len(r.flags.KafkaBrokers) > 0 {
		return nil
	}
	_, err := supervisor.Add(r.group, supervisor.Spec{
		Name: "broker",
		Args: []string{
			"run", "broker", "--dir", r.folder.Path("broker"), "--port", strconv.Itoa(r.ports.kafka),
			"--grace", r.childGrace().String(),
		},
		Env: r.vars.Environ(), StopPhase: lifecycle.Leave, Log: r.log, OnReady: r.announce("broker"),
	})
	return err
}

// addDatabases adds a part that starts once PostgreSQL serves.
func (r *runner) addDatabases() error {
	return r.group.Add(lifecycle.Part{Name: "databases", Phase: lifecycle.Leave, Start: func(ctx context.Context) (err error) {
		done := r.show.Step("databases and schemas")
		defer func() { done(err) }()
		if err := database.Prepare(ctx, r.admin, r.dbs); err != nil {
			return err
		}
		var migrations errgroup.Group
		migrations.SetLimit(len(services))
		errs := make([]error, len(services))
		for i, name := range services {
			migrations.Go(func() error { errs[i] = r.runOnce(ctx, name, "migrate"); return nil })
		}
		_ = migrations.Wait() // all errors are told, not the first
		return errors.Join(errs...)
	}})
}

// addContent adds a part that starts once broker and databases are there.
func (r *runner) addContent() error {
	return r.group.Add(lifecycle.Part{Name: "content", Phase: lifecycle.Commit, Start: func(ctx context.Context) (err error) {
		done := r.show.Step("topics and users")
		defer func() { done(err) }()
		if err := topic.Create(ctx, r.brokers, partitions); err != nil {
			return err
		}
		return r.seed(ctx)
	}})
}

func (r *runner) addServices() error {
	if err := r.addService("auth", "auth", r.ports.auth, r.ports.authEdge); err != nil {
		return err
	}
	for i, port := range r.ports.orders {
		name := "orders"
		if len(r.ports.orders) > 1 {
			name = fmt.Sprintf("orders-%d", i+1)
		}
		if err := r.addService(name, "orders", port, r.ports.ordersEdges[i]); err != nil {
			return err
		}
	}
	return r.addService("logproc", "logproc", r.ports.logproc, r.ports.logprocEdge)
}

func (r *runner) addService(name, service string, port, edge int) error {
	_, err := supervisor.Add(r.group, supervisor.Spec{
		Name: name, Args: []string{"run", service, "--listen", address(port), "--http-listen", address(edge)},
		Env: r.vars.Environ(), Log: r.log, OnReady: r.announce(name),
		// Whoever tries what a kill does may do so for a while.
		Restart: supervisor.RestartPolicy{Intensity: 30},
	})
	return err
}

func (r *runner) addRouter() error {
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address(r.ports.http))
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	return httpserver.Add(r.group, "http", &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelInfo),
		Handler: router.New(router.Routes{
			Auth: []string{address(r.ports.authEdge)}, Orders: addresses(r.ports.ordersEdges),
			Logproc: []string{address(r.ports.logprocEdge)},
		}),
	}, lis)
}

// announce tells about a child that was started again.
func (r *runner) announce(name string) func(context.Context, supervisor.Child) error {
	return func(_ context.Context, child supervisor.Child) error {
		if child.Generation() > 1 {
			r.show.Printf("%s is back, pid %d", name, child.Pid())
		}
		return nil
	}
}

// timed wraps a readiness check to print how long it took to become true.
func (r *runner) timed(name string, ready func(context.Context) error) func(context.Context) error {
	var once sync.Once
	var done func(error)
	return func(ctx context.Context) error {
		once.Do(func() { done = r.show.Step(name) })
		err := ready(ctx)
		if err == nil && done != nil {
			done(nil)
			done = nil
		}
		return err
	}
}

// seed lets auth create the two users unless they exist.
func (r *runner) seed(ctx context.Context) error {
	type user struct {
		Email    string   `json:"email"`
		Password string   `json:"password"`
		Roles    []string `json:"roles"`
	}
	encoded, err := json.Marshal([]user{ //nolint:gosec // The file is for auth alone, mode 0600.
		{customerEmail, r.secrets.Customer, []string{"customer"}},
		{adminEmail, r.secrets.Admin, []string{"admin"}},
	})
	if err != nil {
		return fmt.Errorf("write the seed: %w", err)
	}
	if err := r.folder.Write("seed.json", append(bytes.TrimSpace(encoded), '\n')); err != nil {
		return err
	}
	return r.runOnce(ctx, "auth", "seed", "--file", r.folder.Path("seed.json"))
}
