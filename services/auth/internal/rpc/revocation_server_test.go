package rpc_test

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/rpc"
)

// reached is a feed of so many positions.
type reached int64

func (r reached) Reached(_ context.Context, seq int64) (bool, error) { return seq <= int64(r), nil }

// closed is a barrier that opens once.
type closed struct{ open, waiting chan struct{} }

func (c closed) Await(_ context.Context, seq int64) (account.Receipt, error) {
	c.waiting <- struct{}{}
	<-c.open
	return account.Receipt{Seq: seq}, nil
}

func TestMoreCallsThanMayWaitForRevocationsAreRefused(t *testing.T) {
	const most = 256
	b := closed{open: make(chan struct{}), waiting: make(chan struct{}, most+1)}
	s := rpc.NewRevocationServer(nil, nil, b, reached(1))
	await := func() error {
		_, err := s.AwaitRevocation(t.Context(), &revocationv1.AwaitRevocationRequest{Seq: 1})
		return err
	}
	var wg sync.WaitGroup
	for range most {
		wg.Go(func() {
			if err := await(); err != nil {
				t.Error(err)
			}
		})
	}
	for range most {
		<-b.waiting
	}
	over := make(chan error, 1)
	go func() { over <- await() }()
	select {
	case err := <-over:
		if status.Code(err) != codes.ResourceExhausted || status.Reason(err) != "RATE_LIMITED" {
			t.Errorf("one more: %v", err)
		}
	case <-b.waiting:
		t.Error("one more waits")
	}
	close(b.open)
	wg.Wait()
	if err := await(); err != nil {
		t.Errorf("when all have gone: %v", err)
	}
}
