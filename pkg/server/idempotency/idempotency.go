// Package idempotency makes a command safe to repeat: the row of a request and
// the answer to it are written in the transaction of the command's effect, so
// there is never an effect without a row, nor a row without the effect.
//
// A command claims its request first in its transaction. Whoever has a New claim
// does the work and calls Answer before the commit (or leaves that to a later
// transaction, and a repetition then sees Answered false). A refusal rolls the
// transaction back and so stores nothing: the same request may succeed later.
// Whoever has none never does the work, also when the row is gone.
//
// Rows live for a retention from their answer; clients must stop repeating a
// request well before (24 h and 12 h here), for after it the same id is a new
// request. The table is part of the service's own migrations:
//
//	CREATE TABLE idempotency_keys (
//	  principal text NOT NULL, method text NOT NULL, request_id uuid NOT NULL,
//	  request_hash bytea NOT NULL, response bytea,
//	  create_time timestamptz NOT NULL DEFAULT now(), answer_time timestamptz,
//	  PRIMARY KEY (principal, method, request_id),
//	  CHECK ((response IS NULL) = (answer_time IS NULL)));
//	CREATE INDEX ON idempotency_keys (answer_time) WHERE answer_time IS NOT NULL;
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/proto"
)

var (
	// ErrReused says that the request id was used with another request.
	ErrReused = errors.New("request id was used with another request")
	// ErrGone says that somebody had claimed the request and the row is gone
	// now: whether there was an effect is not known here, so there must be no second one.
	ErrGone = errors.New("the answer to this request is no longer stored")
)

// Retention is how long a row is kept from its answer.
const Retention = 24 * time.Hour

// Key names one request of one caller to one method.
type Key struct {
	// Principal is the caller: users/{uuid} or services/{name}.
	Principal string
	// Method is the full gRPC method.
	Method string
	// RequestID is the caller's UUID.
	RequestID [16]byte
}

// Outcome is what Find found.
type Outcome struct {
	// Answered: it was executed before and Response is what it was answered.
	Answered bool
	Response []byte
}

// Hash returns what requests are compared by. Requests are equal if all
// their fields are; the encoding is deterministic for one version of the
// message, and fields that are added later and not set do not change it.
func Hash(request proto.Message) ([]byte, error) {
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("hash request: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return sum[:], nil
}

// Queryer is a transaction, or a pool where only reads are made.
type Queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Execer is a transaction or a pool.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// In READ COMMITTED it waits for a concurrent twin to end, and returns no row
// if the request is known. The time is that of the transaction.
const claimSQL = `INSERT INTO idempotency_keys (principal, method, request_id, request_hash)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING create_time`

const findSQL = `SELECT request_hash, response, answer_time IS NOT NULL FROM idempotency_keys
WHERE principal = $1 AND method = $2 AND request_id = $3`

const answerSQL = `UPDATE idempotency_keys SET response = $4, answer_time = clock_timestamp()
WHERE principal = $1 AND method = $2 AND request_id = $3 AND answer_time IS NULL`

// Bounded, oldest first; SKIP LOCKED lets several replicas clean up at once.
const cleanUpSQL = `DELETE FROM idempotency_keys k USING (
  SELECT principal, method, request_id FROM idempotency_keys
  WHERE answer_time < now() - make_interval(secs => $1)
  ORDER BY answer_time LIMIT $2 FOR UPDATE SKIP LOCKED) old
WHERE (k.principal, k.method, k.request_id) = (old.principal, old.method, old.request_id)`

// Claim is the result of QueueClaim, once the batch has been closed.
type Claim struct {
	// New: nobody had claimed the request, and this transaction executes it.
	New bool
	// Time of the transaction, by the clock of the database; only if New.
	Time time.Time
}

// QueueClaim adds the statement that inserts the row of the request to a batch.
// It must be the first statement of a READ COMMITTED transaction, for the row
// is the first in every lock order. A concurrent twin is waited for: if it
// commits, this claim is not New; if it rolls back, this one is. A request that
// is not New is never executed; Find says what is known of it. What else is in
// the batch runs in both cases, so it only reads.
func QueueClaim(b *pgx.Batch, key Key, hash []byte) *Claim {
	c := &Claim{}
	b.Queue(claimSQL, key.Principal, key.Method, key.RequestID, hash).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&c.Time)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("claim request: %w", err)
		}
		c.New = err == nil
		return nil
	})
	return c
}

// Find reads the row of a request that somebody has claimed. Errors are
// ErrReused, ErrGone, or the database's.
func Find(ctx context.Context, q Queryer, key Key, hash []byte) (Outcome, error) {
	var stored []byte
	var out Outcome
	err := q.QueryRow(ctx, findSQL, key.Principal, key.Method, key.RequestID).Scan(&stored, &out.Response, &out.Answered)
	if errors.Is(err, pgx.ErrNoRows) {
		return Outcome{}, ErrGone
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("find request: %w", err)
	}
	if !bytes.Equal(stored, hash) {
		return Outcome{}, ErrReused
	}
	return out, nil
}

// QueueAnswer adds the statement of Answer to a batch, for who holds the claim
// and so knows that there is no answer yet. Its result affects one row.
func QueueAnswer(b *pgx.Batch, key Key, response []byte) {
	b.Queue(answerSQL, key.Principal, key.Method, key.RequestID, present(response))
}

// Answer stores the response of a claimed request, once: a request that has
// its answer keeps it, and answered is false.
func Answer(ctx context.Context, tx Execer, key Key, response []byte) (answered bool, err error) {
	tag, err := tx.Exec(ctx, answerSQL, key.Principal, key.Method, key.RequestID, present(response))
	if err != nil {
		return false, fmt.Errorf("answer request: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// present makes an empty response of none: NULL means that there is no answer.
func present(response []byte) []byte {
	if response == nil {
		return []byte{}
	}
	return response
}

// CleanUp deletes at most limit rows that were answered before the retention,
// and returns how many. Rows without an answer stay.
func CleanUp(ctx context.Context, db Execer, retention time.Duration, limit int) (int, error) {
	tag, err := db.Exec(ctx, cleanUpSQL, retention.Seconds(), limit)
	if err != nil {
		return 0, fmt.Errorf("clean up requests: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
