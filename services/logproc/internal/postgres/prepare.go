package postgres

import (
	"context"
	"fmt"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

const prepareSQL = "SELECT logs_prepare(date '1970-01-01' + $1::int, $2)"

// PrepareDay makes the partition of a day, if one is due. Rows of a day
// without a partition go to the default one.
func (s *Session) PrepareDay(ctx context.Context, day int32, retentionDays int) error {
	if day == record.Undated {
		return nil
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("prepare day: %w", err)
	}
	if _, err := conn.Exec(ctx, prepareSQL, day, retentionDays); err != nil {
		return fmt.Errorf("prepare day: %w", err)
	}
	return nil
}
