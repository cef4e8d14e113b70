package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// wrap says what was done when err happened. An err of the way to the database
// is also account.ErrStoreUnavailable.
func wrap(what string, err error) error {
	if unreachable(err) {
		return fmt.Errorf("%s: %w: %w", what, account.ErrStoreUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// unreachable: no connection, or the server ended it. Class 08 is connection
// exceptions, 53300 too many connections, 57P01 to 57P03 shutdown and start.
func unreachable(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(pe.Code, "08") || strings.HasPrefix(pe.Code, "57P0") || pe.Code == "53300"
	}
	return pgconn.SafeToRetry(err)
}

func uniqueViolation(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == "23505"
}
