package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// Committed asks what became of a transaction whose COMMIT was not answered.
// It waits while the transaction is still in progress; next_off would not tell,
// because a successor may have stored the same records.
func (s *Session) Committed(ctx context.Context, xid uint64) (bool, error) {
	for {
		conn, err := s.connect(ctx)
		if err != nil {
			return false, fmt.Errorf("transaction %d: %w", xid, err)
		}
		var status *string
		err = conn.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", fmt.Sprint(xid)).Scan(&status)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == inTheFuture {
			// After a failover that lost commits the server has not got there.
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("transaction %d: %w", xid, err)
		}
		switch {
		case status == nil:
			return false, fmt.Errorf("transaction %d: too old to tell", xid)
		case *status == "committed":
			return true, nil
		case *status == "aborted":
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("transaction %d: %w", xid, context.Cause(ctx))
		case <-time.After(askAgain):
		}
	}
}

const (
	askAgain = 20 * time.Millisecond
	// inTheFuture is SQLSTATE invalid_parameter_value, with which pg_xact_status
	// refuses a transaction id that the server has not given out.
	inTheFuture = "22023"
)

const releaseSQL = `
UPDATE ledger SET tries = 0, token = NULL, updated_at = clock_timestamp(),
    isolate_to = CASE WHEN $6 THEN 0 ELSE isolate_to END
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND token = $5`

// Release ends a lease cleanly: nothing was in work, so its take was no try.
// passed says that the suspected range is behind it. Releasing what somebody
// else owns changes nothing and is no error.
func (s *Session) Release(ctx context.Context, l ledger.Lease, passed bool) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("release %s: %w", l.Key, err)
	}
	if _, err := conn.Exec(ctx, releaseSQL, s.group, l.Topic, l.Partition, l.Epoch, l.Token, passed); err != nil {
		return fmt.Errorf("release %s: %w", l.Key, err)
	}
	return nil
}
