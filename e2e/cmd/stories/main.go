// Command stories runs the three demonstrations of Curfew against a running
// platform. Start it inside one: curfew dev -- stories.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/curfew-platform/curfew/e2e/lostlogs"
	"github.com/curfew-platform/curfew/e2e/naive/consumer"
	"github.com/curfew-platform/curfew/e2e/orderview"
	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/e2e/stolentoken"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
)

// limit bounds the whole demonstration.
const limit = 10 * time.Minute

type tellCmd struct {
	Rounds int   `default:"40" help:"Tokens that are stolen in story 1."`
	Story  []int `default:"1,2,3" help:"Stories to tell."`
}

type naiveCmd struct{ consumer.Config }

func main() {
	var cli struct {
		Tell  tellCmd  `cmd:"" default:"withargs" help:"Tell the stories; the exit status is 0 only if every check held."`
		Naive naiveCmd `cmd:"" name:"naive-consumer" help:"Run the log consumer of story 2, as it was before."`
	}
	k := kong.Parse(&cli, kong.Name("stories"), kong.Description("The three stories of Curfew, told by running them."), kong.UsageOnError())
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "stories:", err)
		os.Exit(1)
	}
}

// Run tells the stories that were asked for, all of them even if one fails.
func (c *tellCmd) Run() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := stand.FromEnvironment()
	if err != nil {
		return err
	}
	tellers := map[int]func(context.Context, io.Writer) error{
		1: func(ctx context.Context, w io.Writer) error { return stolentoken.Tell(ctx, w, s, c.Rounds) },
		2: func(ctx context.Context, w io.Writer) error { return lostlogs.Tell(ctx, w, s) },
		3: func(ctx context.Context, w io.Writer) error { return orderview.Tell(ctx, w, s) },
	}
	start := time.Now()
	var failures []error
	for _, n := range c.Story {
		tell, ok := tellers[n]
		if !ok {
			return fmt.Errorf("there is no story %d: choose from 1, 2 and 3", n)
		}
		if err := tell(ctx, os.Stdout); err != nil {
			failures = append(failures, fmt.Errorf("story %d: %w", n, err))
		}
	}
	failures = append(failures, leak.Found())
	if err := errors.Join(failures...); err != nil {
		return err
	}
	fmt.Printf("\nAll stories ended as they must, in %.0f s.\n", time.Since(start).Seconds())
	return nil
}

// Run is the parent of the naive consumer, or one of its workers.
func (c *naiveCmd) Run() error {
	if os.Getenv("NAIVE_WORKER") != "" {
		return consumer.Worker(c.Config)
	}
	return consumer.Parent(context.Background(), c.Workers, os.Args[1:])
}
