package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// Else a restart or a failover of the database looks like a fault of the
// service, and clients do not try again.
func TestFailuresOfTheWayToTheDatabaseAreToldFromThoseOfStatements(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	for what, c := range map[string]struct {
		err  error
		want bool
	}{
		"the server closed the connection":     {io.ErrUnexpectedEOF, true},
		"EOF":                                  {io.EOF, true},
		"reset":                                {reset, true},
		"closed here":                          {net.ErrClosed, true},
		"connection failure":                   {&pgconn.PgError{Code: "08006"}, true},
		"too many connections":                 {&pgconn.PgError{Code: "53300"}, true},
		"disk full":                            {&pgconn.PgError{Code: "53100"}, true},
		"shutdown":                             {&pgconn.PgError{Code: "57P01"}, true},
		"cancelled by an operator or a limit":  {&pgconn.PgError{Code: "57014"}, true},
		"idle in transaction":                  {&pgconn.PgError{Code: "25P03"}, true},
		"the former primary":                   {&pgconn.PgError{Code: "25006"}, true},
		"a duplicate":                          {&pgconn.PgError{Code: "23505"}, false},
		"a statement that does not exist":      {&pgconn.PgError{Code: "42P01"}, false},
		"an error of a use case":               {account.ErrSessionNotFound, false},
		"a server error without a known state": {&pgconn.PgError{}, false},
	} {
		err := wrap("test", fmt.Errorf("scan: %w", c.err))
		if got := errors.Is(err, account.ErrStoreUnavailable); got != c.want {
			t.Errorf("%s: unavailable = %v", what, got)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s: the cause is lost", what)
		}
	}
}
