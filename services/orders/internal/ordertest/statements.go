package ordertest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Statements counts what pgx sends, BEGIN and COMMIT included. It is a tracer
// and safe for concurrent use.
type Statements struct {
	mu    sync.Mutex
	sql   []string
	calls []Call
	// trips counts batches and single statements: each is one round trip.
	trips int
}

// Call is one statement with its arguments.
type Call struct {
	SQL  string
	Args []any
}

// TraceQueryStart implements pgx.QueryTracer.
func (s *Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.add(data.SQL, data.Args, 1)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (s *Statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements pgx.BatchTracer.
func (s *Statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trips++
	return ctx
}

// TraceBatchQuery implements pgx.BatchTracer.
func (s *Statements) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	s.add(data.SQL, data.Args, 0)
}

// TraceBatchEnd implements pgx.BatchTracer.
func (s *Statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (s *Statements) add(sql string, args []any, trips int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sql = append(s.sql, strings.Join(strings.Fields(sql), " "))
	s.calls = append(s.calls, Call{SQL: sql, Args: args})
	s.trips += trips
}

// Take returns what was sent since the last Take, and in how many round trips.
func (s *Statements) Take() (sql []string, trips int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sql, trips = slices.Clone(s.sql), s.trips
	s.sql, s.calls, s.trips = nil, nil, 0
	return sql, trips
}

// Calls returns what was sent since the last Take, with its arguments.
func (s *Statements) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}
