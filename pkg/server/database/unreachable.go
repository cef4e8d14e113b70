package database

import (
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// States of a server that ended a transaction for reasons of its own.
const (
	stateReadOnly          = "25006" // a former primary, after a failover
	stateIdleInTransaction = "25P03" // this process stood still
)

// Unreachable says whether err is about the way to the database and not about
// what it was asked: no connection, or one that broke, or a server that is going,
// has no room, or is no primary any more. What a statement did is then not known.
//
// A statement that was cancelled (57014, also by statement_timeout) counts too:
// who tells that from an outage looks for it first.
func Unreachable(err error) bool {
	// Whatever the server said to a connection, it was asked nothing yet.
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return true
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return unreachableState(pe.Code)
	}
	return pgconn.SafeToRetry(err) || brokenConnection(err)
}

func unreachableState(code string) bool {
	if code == stateReadOnly || code == stateIdleInTransaction {
		return true
	}
	switch code[:min(2, len(code))] {
	case "08", "53", "57": // connection, resources, operator intervention
		return true
	}
	return false
}

// brokenConnection says whether err is the end of the connection itself.
func brokenConnection(err error) bool {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return true
	}
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}
