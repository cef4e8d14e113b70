package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// wrap says what was done when err happened. An err of the way to the database
// is also account.ErrStoreUnavailable.
func wrap(what string, err error) error {
	if database.Unreachable(err) {
		return fmt.Errorf("%s: %w: %w", what, account.ErrStoreUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func uniqueViolation(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == "23505"
}
