// Package revocations shows operators the feed of revocations: its servers, who
// holds a lease and how fresh it is, and the last receipts.
package revocations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/operator"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Flags of `curfew revocations`. The variables are those that `curfew dev`
// exports.
type Flags struct {
	operator.Flags

	AuthAddr string        `env:"CURFEW_AUTH_ADDR" required:"" help:"Address of a replica of services/auth, which tells what the others said a moment ago; or of several, with commas between, which are all asked." placeholder:"HOST:PORT"`
	Watch    bool          `help:"Stay, and show it again and again."`
	Every    time.Duration `default:"1s" help:"How often, with --watch."`
}

// callLimit bounds one look at one server.
const callLimit = 5 * time.Second

// Main shows the feed and returns the exit status: 0 if every server that was
// asked answered.
func Main(flags *Flags, stdout, stderr io.Writer) int {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err == nil {
		err = flags.run(group, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "curfew revocations:", err)
	}
	return lifecycle.ExitCode(err)
}

// run looks until the group stops, or once.
func (f *Flags) run(group *lifecycle.Group, stdout io.Writer) error {
	if f.Every <= 0 {
		return &lifecycle.UsageError{Err: errors.New("--every is not positive")}
	}
	servers, err := f.connect()
	if err != nil {
		return &lifecycle.UsageError{Err: err}
	}
	defer servers.close()
	var last error
	group.Go("revocations", func(ctx context.Context) error {
		last = f.show(ctx, servers, stdout)
		group.Shutdown(nil)
		return nil
	})
	return errors.Join(group.Run(context.Background()), last)
}

func (f *Flags) show(ctx context.Context, servers servers, stdout io.Writer) error {
	tick := time.NewTicker(f.Every)
	defer tick.Stop()
	for {
		view, err := f.look(ctx, servers)
		if f.Watch {
			fmt.Fprint(stdout, wipe)
		}
		if view != nil {
			view.write(stdout)
		}
		if !f.Watch {
			return err
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(stdout, "\nnot everybody answers:", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// wipe empties a terminal and puts the cursor in its corner.
const wipe = "\x1b[H\x1b[2J"
