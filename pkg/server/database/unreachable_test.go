package database_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
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
		"an error of a use case":               {errors.New("no such session"), false},
		"the end of a call":                    {context.DeadlineExceeded, false},
		"a server error without a known state": {&pgconn.PgError{}, false},
		"nothing":                              {nil, false},
	} {
		if got := database.Unreachable(c.err); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
		if c.err == nil {
			continue
		}
		if got := database.Unreachable(fmt.Errorf("scan: %w", c.err)); got != c.want {
			t.Errorf("%s, wrapped: %v", what, got)
		}
	}
}

func TestWhateverHindersAConnectionTheDatabaseIsUnreachable(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(pgtest.Database(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	gone, stranger := *server, *server
	gone.Host, stranger.Path = nobody, "/no_such_database"
	for what, u := range map[string]url.URL{"nobody listens": gone, "the server refuses": stranger} {
		if _, err = pgconn.Connect(t.Context(), u.String()); err == nil || !database.Unreachable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
