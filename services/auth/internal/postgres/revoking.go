package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// Bounds of the transactions that revoke. They wait for each other at the head
// of the feed, each with a connection: without a bound, a head that is held for
// long takes the connections of logins and refreshes too.
const (
	revokers   = 8
	revokeWait = 2 * time.Second
)

// transactRevoking is transact for what takes the head. It returns
// account.ErrBusy, and has done nothing, if it found no place in revokeWait.
func (s *Store) transactRevoking(ctx context.Context, what string, do func(pgx.Tx) error) error {
	leave, err := s.enterRevoking(ctx)
	if err != nil {
		return wrap(what, err)
	}
	defer leave()
	return s.transact(ctx, what, do)
}

// enterRevoking takes one of the places, until leave.
func (s *Store) enterRevoking(ctx context.Context) (leave func(), err error) {
	leave = func() { <-s.revoking }
	select {
	case s.revoking <- struct{}{}:
		return leave, nil
	default:
	}
	patience := time.NewTimer(revokeWait)
	defer patience.Stop()
	select {
	case s.revoking <- struct{}{}:
		return leave, nil
	case <-patience.C:
		return nil, account.ErrBusy
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
