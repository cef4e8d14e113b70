package dev

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// awaitEdges waits until every service says that it may get traffic, which for
// some is later than having started: they know the latest revocations then.
func (r *runner) awaitEdges(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	done := r.show.Step("services ready")
	defer func() { done(err) }()
	for _, port := range slices.Concat([]int{r.ports.authEdge, r.ports.logprocEdge}, r.ports.ordersEdges) {
		if err := awaitReady(ctx, "http://"+address(port)+"/readyz"); err != nil {
			return err
		}
	}
	return nil
}

func awaitReady(ctx context.Context, url string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		last, err := probe(ctx, url)
		if err == nil && last == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: status %d, %w", url, last, ctx.Err())
		case <-tick.C:
		}
	}
}

func probe(ctx context.Context, url string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("ask %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask %s: %w", url, err)
	}
	return resp.StatusCode, resp.Body.Close()
}
