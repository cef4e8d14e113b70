package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/e2e/faults/replica"
	"github.com/curfew-platform/curfew/e2e/stand"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Home returns the number of the server of the feed at which replica n holds
// its lease now, waiting until ctx ends for there to be one.
func (c *Clients) Home(ctx context.Context, n int) (int, error) {
	var failed error
	for {
		for i, s := range c.installation.Auths {
			until, err := c.lease(ctx, s, n)
			if err != nil {
				failed = err // it may have just started
			}
			// A lease that was just asked for: not the rest of one that it left.
			if time.Until(until) > freshLease {
				return i, nil
			}
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("replica %d has no lease: %w", n, errors.Join(context.Cause(ctx), failed))
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// freshLease is what is left of a lease at the next renewal, at least.
const freshLease = 1500 * time.Millisecond

// lease returns when the lease of replica n at a server is over. What the server
// lists from the reports of the others is not its own.
func (c *Clients) lease(ctx context.Context, s *Server, n int) (time.Time, error) {
	admin, err := c.adminToken(ctx)
	if err != nil {
		return time.Time{}, err
	}
	list, err := revocationv1.NewRevocationServiceClient(s.Conn).
		ListRevocationReplicas(stand.Bearer(ctx, admin), &revocationv1.ListRevocationReplicasRequest{})
	if err != nil {
		return time.Time{}, fmt.Errorf("list the watchers of %s: %w", s.Name, err)
	}
	var last time.Time
	for _, r := range list.GetReplicas() {
		own := r.GetAsOf() == nil
		if own && strings.HasPrefix(r.GetReplicaId(), fmt.Sprintf("%s@%d", replica.Name, n)) && r.GetLeaseUntil().AsTime().After(last) {
			last = r.GetLeaseUntil().AsTime()
		}
	}
	return last, nil
}

// Isolate cuts replica n off from all servers of the feed but one.
func (i *Installation) Isolate(n, home int) {
	for m, link := range i.Links[n] {
		if m != home {
			link.Cut()
		}
	}
}

// Sever cuts replica n off from all servers of the feed.
func (i *Installation) Sever(n int) { i.Isolate(n, -1) }

// Join heals what Isolate and Sever cut.
func (i *Installation) Join(n int) {
	for _, link := range i.Links[n] {
		link.Heal()
	}
}
