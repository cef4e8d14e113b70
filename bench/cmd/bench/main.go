// Command bench prints what Curfew costs, as ratios against what a user would
// pick instead and against the physical limit. Run it inside a platform:
// curfew dev -- bench.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/curfew-platform/curfew/bench/chain"
	"github.com/curfew-platform/curfew/bench/logs"
	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/bench/shop"
	"github.com/curfew-platform/curfew/e2e/stand"
)

const limit = 30 * time.Minute

type cli struct {
	Only      []string      `enum:"chain,logs,orders" default:"chain,logs,orders" help:"What to measure."`
	Pairs     int           `default:"5" help:"Interleaved pairs of each comparison."`
	Records   int           `default:"1000000" help:"Log records of one run."`
	Each      time.Duration `default:"5s" help:"Time of one run of orders."`
	RedisAddr string        `required:"" env:"CURFEW_BENCH_REDIS_ADDR" help:"A real Redis, for the peer of the chain." placeholder:"HOST:PORT"`
}

func main() {
	var c cli
	kong.Parse(&c, kong.Name("bench"), kong.Description("Ratios of interleaved pairs, with their goals."))
	if err := c.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (c *cli) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := stand.FromEnvironment()
	if err != nil {
		return err
	}
	fmt.Printf("machine: %s/%s, %d CPUs, %s; everything on this machine\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	one := func(r ratio.Result, err error) ([]ratio.Result, error) { return []ratio.Result{r}, err }
	measure := map[string]func() ([]ratio.Result, error){
		"chain":  func() ([]ratio.Result, error) { return chain.Run(ctx, c.Pairs*2, c.RedisAddr) },
		"logs":   func() ([]ratio.Result, error) { return one(logs.Run(ctx, s, c.Pairs, c.Records)) },
		"orders": func() ([]ratio.Result, error) { return one(shop.Run(ctx, s, c.Pairs, c.Each)) },
	}
	var missed []string
	for _, name := range c.Only {
		results, err := measure[name]()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, r := range results {
			r.Print(os.Stdout)
			if !r.Met() {
				missed = append(missed, r.Name)
			}
		}
	}
	if len(missed) > 0 {
		fmt.Printf("\ngoals missed: %s\n", strings.Join(missed, "; "))
	}
	return nil
}
