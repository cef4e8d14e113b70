// Command load is everybody who uses a platform at once. `load run` calls until
// SIGTERM and prints what it saw as one line of JSON, `load stop` tells it to,
// `load check` compares what it saw with the databases, and `load progress`
// watches the log processor.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/e2e/load"
	"github.com/curfew-platform/curfew/e2e/stand"
)

type kafkaFlags struct {
	Brokers []string `env:"CURFEW_KAFKA_BROKERS" help:"Kafka brokers." placeholder:"HOST:PORT,..."`
	Topic   string   `env:"CURFEW_LOGS_TOPIC" default:"logs" help:"Topic that the log processor reads."`
}

type runCmd struct {
	kafkaFlags

	Auth            []string      `env:"CURFEW_AUTH_ADDR" required:"" help:"gRPC targets of auth; thieves take turns."`
	Orders          []string      `env:"CURFEW_ORDERS_ADDR" required:"" help:"gRPC targets of orders; customers take turns."`
	AuthReplicas    []string      `env:"CURFEW_LOAD_AUTH_REPLICAS" help:"gRPC targets of the single replicas of auth."`
	OrdersReplicas  []string      `env:"CURFEW_LOAD_ORDERS_REPLICAS" help:"The same of orders."`
	LogprocReplicas []string      `env:"CURFEW_LOAD_LOGPROC_REPLICAS" help:"The same of logproc."`
	AdminEmail      string        `env:"CURFEW_ADMIN_EMAIL" required:"" help:"Administrator."`
	AdminPassword   string        `env:"CURFEW_ADMIN_PASSWORD" required:"" help:"Password of the administrator."`
	Customers       int           `default:"6" help:"Customers who read and order at a time."`
	Pause           time.Duration `default:"20ms" help:"Of a customer between two calls."`
	Thieves         int           `default:"2" help:"Thieves at a time."`
	ThiefPause      time.Duration `default:"300ms" help:"Of a thief between two tokens."`
	Rate            int           `default:"5000" help:"Log records per second; 0 produces none."`
	Limit           time.Duration `default:"15m" help:"The run ends by itself after this."`
	MessageFile     string        `env:"CURFEW_LOAD_MESSAGE_FILE" help:"File that the verdict is written to as well."`
}

type stopCmd struct {
	Pid int `default:"1" help:"Process to stop; in a pod it is 1."`
}

type databaseFlags struct {
	kafkaFlags

	OrdersDatabaseURL  string        `name:"orders-database-url" env:"CURFEW_ORDERS_MIGRATE_DATABASE_URL" help:"PostgreSQL of orders, as its owner." placeholder:"URL"`
	LogprocDatabaseURL string        `name:"logproc-database-url" env:"CURFEW_LOGPROC_DATABASE_URL" help:"PostgreSQL of logproc." placeholder:"URL"`
	Group              string        `default:"curfew-logproc" help:"Consumer group of the log processor."`
	Patience           time.Duration `default:"2m" help:"How long the log processor may take to catch up."`
}

func (f databaseFlags) databases() load.Databases {
	return load.Databases{
		Orders: f.OrdersDatabaseURL, Logproc: f.LogprocDatabaseURL,
		Brokers: f.Brokers, Topic: f.Topic, Group: f.Group, Patience: f.Patience,
	}
}

type checkCmd struct {
	databaseFlags

	Verdict string `arg:"" optional:"" default:"-" help:"What load run printed; - is standard input."`
}

type progressCmd struct {
	databaseFlags

	Limit time.Duration `default:"10m" help:"It ends by itself after this."`
}

type holdCmd struct {
	URL   string        `required:"" help:"PostgreSQL, as the owner of the table."`
	Table string        `required:"" help:"Table to lock against everybody."`
	For   time.Duration `required:"" help:"How long; less if SIGTERM comes earlier."`
}

func main() {
	var cli struct {
		Run      runCmd      `cmd:"" help:"Call until SIGTERM and print what was seen."`
		Stop     stopCmd     `cmd:"" help:"Tell a run to end."`
		Check    checkCmd    `cmd:"" help:"Compare what a run saw with the databases; the exit status is 0 only if all is well."`
		Hold     holdCmd     `cmd:"" help:"Lock a table, so that what needs it never returns."`
		Progress progressCmd `cmd:"" help:"Watch the partitions of the log processor until SIGTERM and print how they got on."`
	}
	k := kong.Parse(&cli, kong.Name("load"), kong.Description("Everybody who uses a platform at once, and the oracles."), kong.UsageOnError())
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// untilStopped returns a context that ends with SIGTERM, SIGINT, or after the limit.
func untilStopped(limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	return ctx, func() { stop(); cancel() }
}

func printJSON(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	data = append(data, '\n')
	_, err = os.Stdout.Write(data)
	return data, err
}

// Run calls.
func (c *runCmd) Run() error {
	ctx, cancel := untilStopped(c.Limit)
	defer cancel()
	verdict, err := load.Run(ctx, load.Config{
		Auth: c.Auth, Orders: c.Orders,
		Replicas:   load.Replicas{Auth: c.AuthReplicas, Orders: c.OrdersReplicas, Logproc: c.LogprocReplicas},
		AdminEmail: c.AdminEmail, AdminPassword: c.AdminPassword,
		Customers: c.Customers, Pause: c.Pause, Thieves: c.Thieves, ThiefPause: c.ThiefPause,
		Brokers: c.Brokers, Topic: c.Topic, Rate: c.Rate,
	}, func() { fmt.Println("running") })
	if err != nil {
		return err
	}
	data, err := printJSON(verdict)
	if err == nil && c.MessageFile != "" {
		err = os.WriteFile(c.MessageFile, data, 0o600)
	}
	return err
}

// Run sends the signal.
func (c *stopCmd) Run() error {
	if err := syscall.Kill(c.Pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop process %d: %w", c.Pid, err)
	}
	return nil
}

// mostVerdict bounds what a verdict may have, in bytes.
const mostVerdict = 1 << 20

// Run compares.
func (c *checkCmd) Run() error {
	in := io.Reader(os.Stdin)
	if c.Verdict != "-" {
		f, err := os.Open(c.Verdict)
		if err != nil {
			return fmt.Errorf("verdict: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	var verdict load.Verdict
	if err := json.NewDecoder(io.LimitReader(in, mostVerdict)).Decode(&verdict); err != nil {
		return fmt.Errorf("verdict: %w", err)
	}
	ctx, cancel := untilStopped(c.Patience + time.Minute)
	defer cancel()
	findings, err := load.Check(ctx, c.databases(), verdict)
	if err != nil {
		return err
	}
	if _, err := printJSON(findings); err != nil {
		return err
	}
	if len(findings.Wrong) > 0 {
		return errors.New("not all is well")
	}
	return nil
}

// Run watches.
func (c *progressCmd) Run() error {
	ctx, cancel := untilStopped(c.Limit)
	defer cancel()
	fmt.Println("watching")
	all, err := load.Watch(ctx, c.databases())
	if err != nil {
		return err
	}
	_, err = printJSON(all)
	return err
}

// Run locks.
func (c *holdCmd) Run() error {
	ctx, cancel := untilStopped(c.For + time.Minute)
	defer cancel()
	conn, err := stand.Connect(ctx, c.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("lock %s: %w", c.Table, err)
	}
	if _, err := tx.Exec(ctx, "LOCK TABLE "+pgx.Identifier{c.Table}.Sanitize()+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return fmt.Errorf("lock %s: %w", c.Table, err)
	}
	fmt.Println("locked")
	timer := time.NewTimer(c.For)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil // The end of the connection lets go.
}
