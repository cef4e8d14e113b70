package control

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// Client is a worker as its parent sees it. Safe for concurrent use.
type Client struct{ rpc logprocv1.WorkerServiceClient }

// NewClient returns the worker at the other end of conn.
func NewClient(conn grpc.ClientConnInterface) *Client {
	return &Client{rpc: logprocv1.NewWorkerServiceClient(conn)}
}

// Assign gives grants to the worker; its events say what comes of them.
func (c *Client) Assign(ctx context.Context, grants []ledger.Grant) error {
	req := &logprocv1.AssignRequest{}
	for _, g := range grants {
		req.Grants = append(req.Grants, &logprocv1.Grant{Partition: toKey(g.Key), Token: g.Token[:]})
	}
	if _, err := c.rpc.Assign(ctx, req); err != nil {
		return fmt.Errorf("assign: %w", err)
	}
	return nil
}

// Release takes partitions back and returns how far they came. It waits until
// no transaction of them is open, at most timeout.
func (c *Client) Release(ctx context.Context, keys []ledger.Key, timeout time.Duration) ([]worker.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := c.rpc.Release(ctx, &logprocv1.ReleaseRequest{Partitions: toKeys(keys), TimeoutMillis: timeout.Milliseconds()})
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return fromProgresses(resp.GetPartitions()), nil
}

// Watch calls f with every event, one after another, until the worker has
// reported or is gone.
func (c *Client) Watch(ctx context.Context, f func(worker.Event)) error {
	// Ending the stream tells the worker that its report has arrived.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.Watch(ctx, &logprocv1.WatchRequest{})
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		e := fromResponse(resp)
		f(e)
		if e.Kind == worker.Stopped {
			return nil
		}
	}
}
