// Package rolling restarts the replicas of orders one after the other under
// load, as a Deployment in Kubernetes does, and counts what clients see of it.
package rolling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-platform/curfew/e2e/stand"
)

const (
	replicas = 3
	grace    = 15 * time.Second
)

// Options say what is restarted and how.
type Options struct {
	// Rounds is how often every replica is replaced.
	Rounds int
	// Propagation is what the replicas are told: how long they go on serving after readiness turned negative.
	Propagation time.Duration
	// Delay passes until clients know that an endpoint came or went.
	Delay time.Duration
}

// Result is what clients saw, and what was left.
type Result struct {
	Restarts int
	Queries  int64 // answered, by a client that balances over all replicas
	Orders   int64 // created, by the same client
	Fresh    int64 // answered, each on a connection of its own
	Failed   int64 // calls of all kinds, after what a normal client repeats by itself
	Stored   int64 // orders that the service has of this customer in the end
	Failures []string
	Unclean  []string // replicas whose stop was not clean, in their own words
}

// Run starts three replicas of its own and replaces each of them, round after
// round: the next is started, clients learn of it after the delay, then the old
// one gets SIGTERM, and clients learn that it goes after the delay. Nobody waits
// for the end of an old one before the next is replaced.
func Run(ctx context.Context, s *stand.Stand, o Options) (Result, error) {
	d := &deployment{stand: s, options: o, endpoints: newEndpoints(o.Delay)}
	defer d.kill()
	defer d.endpoints.close()
	for range replicas {
		p, err := d.start(ctx)
		if err != nil {
			return Result{}, err
		}
		d.endpoints.set(append(d.endpoints.list(), p.GRPC))
	}
	load, err := newLoad(ctx, s, d.endpoints)
	if err != nil {
		return Result{}, err
	}
	defer load.close()
	stop := load.begin(ctx)
	result, err := d.roll(ctx)
	stop()
	if err != nil {
		return Result{}, err
	}
	load.count(&result)
	result.Stored, err = load.stored(ctx)
	return result, err
}

// deployment is the controller: it knows the processes.
type deployment struct {
	stand     *stand.Stand
	options   Options
	endpoints *endpoints
	running   []*stand.Process // oldest first
	all       []*stand.Process
}

func (d *deployment) start(ctx context.Context) (*stand.Process, error) {
	// No log lines to Kafka: logproc of this machine would store them.
	p, err := d.stand.StartService(ctx, "orders", nil, "--log-kafka-brokers", "",
		"--grace", grace.String(), "--propagation", d.options.Propagation.String())
	if err != nil {
		return nil, err
	}
	d.running = append(d.running, p)
	d.all = append(d.all, p)
	return p, nil
}

func (d *deployment) roll(ctx context.Context) (Result, error) {
	var result Result
	unclean := make(chan string, d.options.Rounds*replicas)
	var stops errgroup.Group
	for range d.options.Rounds * replicas {
		p, err := d.start(ctx)
		if err != nil {
			return Result{}, errors.Join(err, stops.Wait())
		}
		if err := d.endpoints.add(ctx, p.GRPC); err != nil {
			return Result{}, errors.Join(err, stops.Wait())
		}
		old := d.running[0]
		d.running = d.running[1:]
		d.endpoints.removeLater(old.GRPC)
		result.Restarts++
		stops.Go(func() error {
			took, killed, err := old.Stop(grace)
			if report := lastReport(old.Stderr()); killed || !strings.Contains(report, `"outcome":"clean"`) {
				unclean <- fmt.Sprintf("after %v, killed %v: %s", took, killed, report)
			}
			return err
		})
		// The next one goes when the controller has seen that this one goes.
		if err := d.endpoints.settled(ctx); err != nil {
			return Result{}, errors.Join(err, stops.Wait())
		}
	}
	err := stops.Wait()
	close(unclean)
	for words := range unclean {
		result.Unclean = append(result.Unclean, words)
	}
	return result, err
}

// kill ends what is left. It is no stop that anybody counts.
func (d *deployment) kill() {
	for _, p := range d.all {
		p.Kill()
	}
}

// lastReport returns the line that a stop ends with, or what there is instead.
func lastReport(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.Contains(line, `"msg":"stop report"`) {
			return line
		}
	}
	return "no stop report; last line: " + lines[len(lines)-1]
}
