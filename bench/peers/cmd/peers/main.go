// Command peers shows what happens to the commit step of a process when
// something before it does not stop: with pkg/lifecycle, with other libraries,
// and by hand. Every cell is a process that gets a real SIGTERM, and SIGKILL
// when its grace is over.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
	"github.com/curfew-platform/curfew/bench/peers/table"
)

// child is the first argument of the process that is stopped.
const child = "child"

func main() {
	if len(os.Args) > 1 && os.Args[1] == child {
		os.Exit(table.Child(os.Args[2:], os.Stdout, os.Stderr))
	}
	scale := flag.Int("scale", scenario.Scale, "divide all times by this; 1 is the grace of 30 s")
	markdown := flag.Bool("markdown", false, "print the tables of docs/peers.md")
	flag.Parse()
	if err := run(max(1, *scale), *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(scale int, markdown bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	tables, err := table.Run(ctx, scale, func(ctx context.Context, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, self, append([]string{child}, args...)...)
	})
	if err != nil {
		return err
	}
	if !markdown {
		fmt.Printf("grace %v, a drain that ends takes %v, the commit %v; all times of 30 s graces divided by %d\n\n",
			scenario.Grace/time.Duration(scale), scenario.WorkLeft/time.Duration(scale), scenario.CommitFor/time.Duration(scale), scale)
	}
	for i, t := range tables {
		if i > 0 {
			fmt.Println()
		}
		if markdown {
			fmt.Print(t.Markdown())
			continue
		}
		if err := t.Print(os.Stdout); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}
