// Package broker is the process that serves the Kafka protocol in a development
// environment.
package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/pkg/localenv/kfakebroker"
)

type flags struct {
	Dir   string        `help:"Data folder." required:"" type:"path" placeholder:"DIR"`
	Port  int           `help:"Port on loopback." required:"" placeholder:"PORT"`
	Grace time.Duration `help:"Time from SIGTERM to SIGKILL." default:"30s"`
}

// Main runs the broker until it is told to stop and returns the exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	if err := run(args, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "broker:", err)
		return lifecycle.ExitCode(err)
	}
	return lifecycle.ExitClean
}

func run(args []string, stdout, stderr io.Writer) error {
	var f flags
	parser, err := kong.New(&f, kong.Name("curfew run broker"), kong.Writers(stdout, stderr),
		kong.Description("Serve the Kafka protocol from memory and a data folder, for development."))
	if err != nil {
		return fmt.Errorf("read the flags: %w", err)
	}
	if _, err := parser.Parse(args); err != nil {
		return &lifecycle.UsageError{Err: err}
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	group, err := lifecycle.New(lifecycle.WithGrace(f.Grace), lifecycle.WithLogger(log), lifecycle.WithReportWriter(stderr))
	if err != nil {
		return err
	}
	if supervisor.IsChild() {
		if _, err := supervisor.Attach(group); err != nil {
			return err
		}
	}
	if err := group.Add(part(f)); err != nil {
		return err
	}
	return group.Run(context.Background())
}

// part serves until phase Leave: what depends on the broker is gone by then.
func part(f flags) lifecycle.Part {
	var lock *os.File
	var broker *kfakebroker.Broker
	return lifecycle.Part{
		Name: "broker", Phase: lifecycle.Leave,
		Start: func(ctx context.Context) (err error) {
			if lock, err = hold(ctx, f.Dir); err != nil {
				return err
			}
			broker, err = kfakebroker.Start(kfakebroker.Config{Dir: f.Dir, Port: f.Port})
			return err
		},
		Stop: func(context.Context) error {
			broker.Close()
			return lock.Close()
		},
	}
}

// hold makes this process the only one on the data folder. The broker of an
// environment that was killed needs a moment to end.
func hold(ctx context.Context, dir string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "curfew.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("another broker serves %s: %w", dir, err), lock.Close())
		case <-tick.C:
		}
	}
}
