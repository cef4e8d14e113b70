package postgres

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

func TestAnErrorOfTheWayToTheDatabaseIsMarkedAndKeepsItsCause(t *testing.T) {
	for err, marked := range map[error]bool{
		io.ErrUnexpectedEOF:            true,
		&pgconn.PgError{Code: "57P01"}: true,
		&pgconn.PgError{Code: "23505"}: false,
		account.ErrSessionNotFound:     false,
	} {
		got := wrap("test", fmt.Errorf("scan: %w", err))
		if errors.Is(got, account.ErrStoreUnavailable) != marked || !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
}
