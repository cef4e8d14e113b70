package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/server/idempotency"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Request is who asks, and what makes the command safe to repeat.
type Request struct {
	Actor  order.Actor
	Method string
	ID     uuid.UUID
	// Hash of the whole request.
	Hash []byte
}

func (r Request) key() idempotency.Key {
	return idempotency.Key{Principal: r.Actor.Principal, Method: r.Method, RequestID: r.ID}
}

// cause names the request in the ledger. One id may come to several methods,
// which are several requests: (method, id) is as unique as the key.
func (r Request) cause() uuid.UUID { return uuid.NewSHA1(r.ID, []byte(r.Method)) }

// gone makes ErrGone of the effects of a request that is no longer stored: its
// id came again after the retention, and what it made says so.
func gone(err error) error {
	if violated(err, "payments_principal_request_id_key") || violated(err, "ledger_transfers_order_id_kind_cause_key") {
		return fmt.Errorf("%w: %w", idempotency.ErrGone, err)
	}
	return err
}

// command is what runs in the transaction of a request.
type command struct {
	// read queues what the command reads before its work, at no cost of its own;
	// optional. It runs also if the request is a repetition.
	read func(*pgx.Batch)
	// repeated is called instead of work if somebody had claimed the request.
	repeated func(pgx.Tx, idempotency.Outcome) error
	// work is called at the time of the transaction by the clock of the database.
	work func(pgx.Tx, time.Time) error
}

// claimed runs a command in a transaction in which the request is claimed first
// and the guard is asked last.
func (s *Store) claimed(ctx context.Context, req Request, c command) error {
	var claim *idempotency.Claim
	first := func(b *pgx.Batch) {
		claim = idempotency.QueueClaim(b, req.key(), req.Hash)
		if c.read != nil {
			c.read(b)
		}
	}
	return gone(s.transact(ctx, first, func(tx pgx.Tx) error {
		if !claim.New {
			out, err := idempotency.Find(ctx, tx, req.key(), req.Hash)
			if err != nil {
				return err
			}
			return c.repeated(tx, out)
		}
		if err := c.work(tx, claim.Time.UTC()); err != nil {
			return err
		}
		return s.cfg.Guard(ctx)
	}))
}

// once runs work in the transaction of a request and answers it with the
// result, or returns what the request was answered before. read is that of
// command.
func once[T any](ctx context.Context, s *Store, req Request, read func(*pgx.Batch), work func(pgx.Tx) (*T, error)) (*T, error) {
	var result *T
	err := s.claimed(ctx, req, command{
		read:     read,
		repeated: func(_ pgx.Tx, out idempotency.Outcome) error { return repeat(out, &result) },
		work: func(tx pgx.Tx, _ time.Time) (err error) {
			if result, err = work(tx); err != nil {
				return err
			}
			answer, err := encodeAnswer(result)
			if err != nil {
				return err
			}
			_, err = idempotency.Answer(ctx, tx, req.key(), answer)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// repeat sets result to what the request was answered.
func repeat[T any](out idempotency.Outcome, result **T) error {
	if !out.Answered {
		return idempotency.ErrGone
	}
	*result = new(T)
	return decodeAnswer(out.Response, *result)
}

func encodeAnswer(answer any) ([]byte, error) {
	encoded, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return encoded, nil
}

func decodeAnswer(response []byte, into any) error {
	if err := json.Unmarshal(response, into); err != nil {
		return fmt.Errorf("decode stored answer: %w", err)
	}
	return nil
}
