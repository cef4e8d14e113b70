package dev

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
)

// ports are all on loopback. The edges have no fixed ports: clients use the
// router's.
type ports struct {
	auth, logproc, http, kafka, postgres int

	orders []int

	authEdge, logprocEdge int
	ordersEdges           []int
}

// patience is how long a port may stay taken: the processes of an environment
// that was killed need up to a second to end.
const patience = 2 * time.Second

// choosePorts finds the ports and fails if a fixed one is taken.
func choosePorts(ctx context.Context, f *Flags) (ports, error) {
	const fixed = 6
	extra := f.OrdersReplicas - 1
	free, err := freeport.Find(ctx, fixed+extra+2+f.OrdersReplicas)
	if err != nil {
		return ports{}, err
	}
	first := free[:fixed]
	if f.Port != 0 {
		for i := range first {
			first[i] = f.Port + i
		}
	}
	p := ports{
		auth: first[0], logproc: first[2], http: first[3], kafka: first[4], postgres: first[5],
		orders:      append([]int{first[1]}, free[fixed:fixed+extra]...),
		authEdge:    free[fixed+extra],
		logprocEdge: free[fixed+extra+1],
		ordersEdges: free[fixed+extra+2:],
	}
	if f.Port == 0 {
		return p, nil
	}
	type use struct {
		name string
		port int
	}
	wanted := []use{{"auth", p.auth}, {"orders", p.orders[0]}, {"logproc", p.logproc}, {"HTTP", p.http}}
	if len(f.KafkaBrokers) == 0 {
		wanted = append(wanted, use{"Kafka", p.kafka})
	}
	if f.DatabaseURL == "" {
		wanted = append(wanted, use{"PostgreSQL", p.postgres})
	}
	for _, w := range wanted {
		if err := awaitFree(ctx, w.port); err != nil {
			return ports{}, fmt.Errorf("port %d (%s) is taken: choose another base with --port, or --port 0 for free ones", w.port, w.name)
		}
	}
	return p, nil
}

func awaitFree(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		lis, err := new(net.ListenConfig).Listen(ctx, "tcp", address(port))
		if err == nil {
			return lis.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func addresses(list []int) []string {
	texts := make([]string, len(list))
	for i, port := range list {
		texts[i] = address(port)
	}
	return texts
}
