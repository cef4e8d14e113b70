// Command bench prints what Curfew costs, as ratios against what a user would
// pick instead and against the physical limit. Run it inside a platform:
// curfew dev -- bench.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/curfew-platform/curfew/bench/chain"
	"github.com/curfew-platform/curfew/bench/logs"
	"github.com/curfew-platform/curfew/bench/pod"
	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/bench/revoke"
	"github.com/curfew-platform/curfew/bench/shop"
	"github.com/curfew-platform/curfew/bench/stop"
	"github.com/curfew-platform/curfew/bench/workers"
	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
)

const limit = 30 * time.Minute

type cli struct {
	Only      []string      `enum:"chain,logs,orders,pod,revoke,stop,workers" default:"chain,logs,orders,pod,revoke,stop,workers" help:"What to measure."`
	Pairs     int           `default:"5" help:"Interleaved pairs of each comparison."`
	Records   int           `default:"1000000" help:"Log records of one run."`
	Each      time.Duration `default:"5s" help:"Time of one run of orders."`
	RedisAddr string        `env:"CURFEW_BENCH_REDIS_ADDR" help:"A real Redis, for the peer of the chain." placeholder:"HOST:PORT"`
}

// result is a ratio, or a time with its budget.
type result interface {
	Title() string
	Met() bool
	Print(w io.Writer)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == stop.Child {
		os.Exit(stop.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	if len(os.Args) > 1 && os.Args[1] == chain.Child {
		os.Exit(chain.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	if supervisor.IsChild() {
		os.Exit(workers.Main())
	}
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
	ctx, cancelled := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancelled()
	s, err := stand.FromEnvironment()
	if err != nil {
		return err
	}
	fmt.Printf("machine: %s/%s, %d CPUs, %s; everything on this machine\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	measure := map[string]func() ([]result, error){
		"chain": func() ([]result, error) { return c.chain(ctx) },
		"logs":  func() ([]result, error) { return one(logs.Run(ctx, s, c.Pairs, c.Records)) },
		"orders": func() ([]result, error) {
			ratios, err := shop.Run(ctx, s, c.Pairs, c.Each)
			return all(ratios, nil), err
		},
		"pod":    func() ([]result, error) { return pods(ctx, s, c.Each, c.Records) },
		"revoke": func() ([]result, error) { return revocations(ctx, s) },
		"stop":   func() ([]result, error) { return stops(ctx, s, c.Pairs*10) },
		"workers": func() ([]result, error) {
			budgets, err := workers.Run(ctx)
			return all(nil, budgets), err
		},
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
				missed = append(missed, r.Title())
			}
		}
	}
	if len(missed) > 0 {
		fmt.Printf("\ngoals missed: %s\n", strings.Join(missed, "; "))
	}
	return nil
}

func one(r ratio.Result, err error) ([]result, error) { return []result{r}, err }

func (c *cli) chain(ctx context.Context) ([]result, error) {
	if c.RedisAddr == "" {
		return nil, errors.New("--redis-addr is required")
	}
	ratios, err := chain.Run(ctx, c.Pairs*2, c.RedisAddr)
	return all(ratios, nil), err
}

func revocations(ctx context.Context, s *stand.Stand) ([]result, error) {
	budgets, sizes, err := revoke.Run(ctx, s)
	list := all(nil, budgets)
	for _, size := range sizes {
		list = append(list, size)
	}
	return list, err
}

func pods(ctx context.Context, s *stand.Stand, each time.Duration, records int) ([]result, error) {
	figures, err := pod.Run(ctx, s, each, records)
	list := make([]result, len(figures))
	for i, f := range figures {
		list[i] = f
	}
	return list, err
}

func stops(ctx context.Context, s *stand.Stand, pairs int) ([]result, error) {
	ratios, budgets, err := stop.Run(ctx, s, pairs)
	return all(ratios, budgets), err
}

func all(ratios []ratio.Result, budgets []ratio.Budget) []result {
	var list []result
	for _, r := range ratios {
		list = append(list, r)
	}
	for _, b := range budgets {
		list = append(list, b)
	}
	return list
}
