package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"

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

// unreachable: no connection, or one that broke, or a server that is going, has
// no room, or is no primary any more. What a statement did is then not known.
func unreachable(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return unreachableState(pe.Code)
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return connecting || pgconn.SafeToRetry(err) || brokenConnection(err)
}

// States of a server that ended a transaction for reasons of its own.
const (
	stateReadOnly          = "25006" // a former primary, after a failover
	stateIdleInTransaction = "25P03" // this process stood still
)

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

func uniqueViolation(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == "23505"
}
