// Package postgres holds every statement of the pipeline, one file per use
// case, and the schema in its folder migrations.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// fencedState is the SQLSTATE that ledger_advance and ledger_correct raise.
const fencedState = "LP001"

// Session is a worker's own connection. It is opened when it is needed and
// again when it was lost. Not safe for concurrent use.
type Session struct {
	config *pgxpool.Config
	conn   *pgx.Conn
	group  string
	worker string
}

// NewSession returns a session for a consumer group. Worker names this process
// in table batches. Isolation does not wait for the disk at each of its
// commits, one per record: a crash of PostgreSQL may undo the last ones, rows
// and ledger together, and they are read again.
func NewSession(source database.Source, group, worker string, isolation bool) (*Session, error) {
	pool, err := source.Parse("logproc worker")
	if err != nil {
		return nil, err
	}
	if isolation {
		pool.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	}
	// A server that vanished without a word must not hold a stop up, nor a
	// vanished worker its row locks.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	pool.ConnConfig.DialFunc = dialer.DialContext
	return &Session{config: pool, group: group, worker: worker}, nil
}

// connect returns the open connection.
func (s *Session) connect(ctx context.Context) (*pgx.Conn, error) {
	if s.conn != nil && !s.conn.IsClosed() {
		return s.conn, nil
	}
	config := s.config.ConnConfig.Copy()
	if err := s.config.BeforeConnect(ctx, config); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s.conn = conn
	return conn, nil
}

// Close closes the connection; the server is told if it listens.
func (s *Session) Close(ctx context.Context) {
	if s.conn != nil {
		_ = s.conn.Close(ctx)
		s.conn = nil
	}
}

// closeTimeout bounds the goodbye to a server that may not answer.
const closeTimeout = 200 * time.Millisecond

// drop forgets a connection whose state is unknown.
func (s *Session) drop() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	s.Close(ctx)
}

// lost says whether the connection has to be opened again.
func (s *Session) lost() bool { return s.conn == nil || s.conn.IsClosed() }

// asFenced turns the database's refusal into ledger.FencedError.
func asFenced(err error, key ledger.Key) error {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == fencedState {
		return &ledger.FencedError{Key: key}
	}
	return err
}
