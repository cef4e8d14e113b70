// Package pod measures what one call, or one log record, costs in processor time: of the service, and of PostgreSQL. From the
// first follows how many pods a load needs, from the second when one PostgreSQL is not enough. Processor time hardly
// depends on what else runs on the machine, calls per second do.
package pod

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-platform/curfew/e2e/lostlogs"
	"github.com/curfew-platform/curfew/e2e/stand"
)

const (
	clients    = 8
	partitions = 16
	// drained is how long the server is left alone before its idle use is measured.
	drained = 2 * time.Second
	limit   = 5 * time.Minute
)

// Figure is the cost of one unit of work.
type Figure struct {
	Name, Unit string
	// Service and Server are processor time of the service and of PostgreSQL.
	Service, Server time.Duration
	// Units that were measured.
	Units int64
}

// Title is the name.
func (f Figure) Title() string { return f.Name }

// Met is true: there is no goal.
func (f Figure) Met() bool { return true }

// Print writes the figure as two lines.
func (f Figure) Print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s of the service and %s of PostgreSQL each\n  one processor of pods does %s/s, one of PostgreSQL %s/s (%d %s)\n",
		f.Name, cost(f.Service), cost(f.Server), perSecond(f.Service), perSecond(f.Server), f.Units, f.Unit)
}

func cost(d time.Duration) string {
	if d < 10*time.Microsecond {
		return fmt.Sprintf("%.2f µs", float64(d)/float64(time.Microsecond))
	}
	return fmt.Sprintf("%.3f ms", float64(d)/float64(time.Millisecond))
}

func perSecond(d time.Duration) string {
	if d <= 0 {
		return "any number"
	}
	return fmt.Sprintf("%.0f", float64(time.Second)/float64(d))
}

// Run measures calls for the given time each, and the storing of log records.
func Run(ctx context.Context, s *stand.Stand, each time.Duration, records int) ([]Figure, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pg, err := server(ctx, s.OrdersOwner)
	if err != nil {
		return nil, err
	}
	var figures []Figure
	for _, part := range []func(context.Context, *stand.Stand, int, time.Duration) ([]Figure, error){logins, shopping} {
		list, err := part(ctx, s, pg, each)
		if err != nil {
			return nil, err
		}
		figures = append(figures, list...)
	}
	stored, err := storing(ctx, s, pg, records)
	return append(figures, stored), err
}

// measure runs work and divides what it cost. What the server does anyway is taken off.
func measure(ctx context.Context, name, unit string, pg, service int, work func(context.Context) (int64, error)) (Figure, error) {
	if err := pause(ctx, drained); err != nil {
		return Figure{}, err
	}
	idle, err := used(pg)
	if err != nil {
		return Figure{}, err
	}
	if err := pause(ctx, drained); err != nil {
		return Figure{}, err
	}
	server, err := used(pg)
	if err != nil {
		return Figure{}, err
	}
	base := float64(server-idle) / float64(drained)
	own, err := used(service)
	if err != nil {
		return Figure{}, err
	}
	begun := time.Now()
	n, err := work(ctx)
	if err != nil {
		return Figure{}, fmt.Errorf("%s: %w", name, err)
	}
	took := time.Since(begun)
	ownAfter, err := used(service)
	if err != nil {
		return Figure{}, err
	}
	serverAfter, err := used(pg)
	if err != nil {
		return Figure{}, err
	}
	net := serverAfter - server - time.Duration(base*float64(took))
	n = max(n, 1)
	return Figure{Name: name, Unit: unit, Units: n, Service: (ownAfter - own) / time.Duration(n), Server: max(0, net) / time.Duration(n)}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// repeat calls from several clients at a time until each is over, and returns the number of calls.
func repeat(each time.Duration, call func(ctx context.Context, client, n int) error) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		var calls atomic.Int64
		end := time.Now().Add(each)
		g, ctx := errgroup.WithContext(ctx)
		for client := range clients {
			g.Go(func() error {
				for n := 0; time.Now().Before(end); n++ {
					if err := call(ctx, client, n); err != nil {
						return err
					}
					calls.Add(1)
				}
				return nil
			})
		}
		err := g.Wait()
		return calls.Load(), err
	}
}

// storing measures a processor with four workers from its start on.
func storing(ctx context.Context, s *stand.Stand, pg, records int) (Figure, error) {
	topic := "pod-" + strings.ToLower(rand.Text()[:8])
	if err := lostlogs.CreateTopic(ctx, s.Brokers, topic, partitions); err != nil {
		return Figure{}, err
	}
	if err := lostlogs.Fill(ctx, s.Brokers, topic, partitions, records); err != nil {
		return Figure{}, err
	}
	conn, err := stand.Connect(ctx, s.LogprocOwner)
	if err != nil {
		return Figure{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // Nothing is written.
	var p *stand.Process
	before, err := used(pg)
	if err != nil {
		return Figure{}, err
	}
	if p, err = s.StartService(ctx, "logproc", nil, "--topics", topic, "--group", topic, "--instance-id", topic+"-0", "--log-kafka-brokers", ""); err != nil {
		return Figure{}, err
	}
	defer p.Kill()
	for stored := 0; stored < records; {
		if err := pause(ctx, drained/100); err != nil {
			return Figure{}, err
		}
		if err := conn.QueryRow(ctx, "SELECT coalesce(sum(next_off), 0)::bigint FROM ledger WHERE topic = $1", topic).Scan(&stored); err != nil {
			return Figure{}, fmt.Errorf("read ledger: %w", err)
		}
	}
	own, err := used(p.Pid())
	if err != nil {
		return Figure{}, err
	}
	after, err := used(pg)
	n := time.Duration(records)
	return Figure{Name: "logproc, log records with their start", Unit: "records", Units: int64(records), Service: own / n, Server: (after - before) / n}, err
}
