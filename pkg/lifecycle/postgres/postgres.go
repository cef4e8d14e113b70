// Package postgres closes a pgxpool.Pool as a part of a lifecycle.Group.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Add adds pool to g as a part of phase lifecycle.Close, the last: everything that uses connections is gone by then, or
// named as stuck in the report. The group owns pool from here on, even if it never starts.
//
// pgxpool.Pool.Close waits for acquired connections without a bound and can't be interrupted. A user that keeps its
// connection makes the part overrun, which the report says together with the number of connections; the process ends all
// the same. The pool does not connect by Add: use Ping where a start without the database must fail.
func Add(g *lifecycle.Group, name string, pool *pgxpool.Pool) error {
	if g == nil || pool == nil {
		return errors.New("postgres: group and pool are required")
	}
	var closed atomic.Bool
	err := g.Add(lifecycle.Part{
		Name:  name,
		Phase: lifecycle.Close,
		Stop: func(context.Context) error {
			pool.Close()
			closed.Store(true)
			return nil
		},
		Remaining: func() int64 {
			// Close has waited for all connections, but the pool forgets the last one only a moment later.
			if closed.Load() {
				return 0
			}
			return int64(pool.Stat().AcquiredConns())
		},
	})
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}
