// Package idempotency makes a command safe to repeat: the row of a request and
// the answer to it are written in the transaction of the command's effect, so
// there is never an effect without a row, nor a row without the effect.
//
// A command calls Claim first in its transaction. Whoever is told Claimed does
// the work and calls Answer before the commit (or leaves that to a later
// transaction, and a repetition then sees Answered false). A refusal rolls the
// transaction back and so stores nothing: the same request may succeed later.
// Whoever is not told Claimed never does the work, also when the row is gone.
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

// Outcome is what Claim found.
type Outcome struct {
	// Claimed: the request is new and this transaction executes it.
	Claimed bool
	// Answered: it was executed before and Response is what it was answered.
	Answered bool
	Response []byte
}

// Hash returns what Claim compares requests by. Requests are equal if all
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

// ClaimSQL inserts the row of a request with the arguments principal, method,
// request id and hash; it affects no row if the request is known. In READ
// COMMITTED it waits for a concurrent twin to end.
const ClaimSQL = `INSERT INTO idempotency_keys (principal, method, request_id, request_hash)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`

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

// Tx is what Claim needs of a transaction.
type Tx interface {
	Queryer
	Execer
}

// Claim inserts the row of the request. It must be the first statement of a
// READ COMMITTED transaction, for the row is the first in every lock order. A
// concurrent twin is waited for: if it commits, this one is not Claimed; if it
// rolls back, this one is. Errors are ErrReused, ErrGone, or the database's.
func Claim(ctx context.Context, tx Tx, key Key, hash []byte) (Outcome, error) {
	tag, err := tx.Exec(ctx, ClaimSQL, key.Principal, key.Method, key.RequestID, hash)
	if err != nil {
		return Outcome{}, fmt.Errorf("claim request: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return Outcome{Claimed: true}, nil
	}
	return Find(ctx, tx, key, hash)
}

// Find reads the row of a request that somebody has claimed. The outcome is
// never Claimed.
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

// Answer stores the response of a claimed request, once: a request that has
// its answer keeps it, and answered is false.
func Answer(ctx context.Context, tx Execer, key Key, response []byte) (answered bool, err error) {
	if response == nil {
		response = []byte{}
	}
	tag, err := tx.Exec(ctx, answerSQL, key.Principal, key.Method, key.RequestID, response)
	if err != nil {
		return false, fmt.Errorf("answer request: %w", err)
	}
	return tag.RowsAffected() == 1, nil
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
