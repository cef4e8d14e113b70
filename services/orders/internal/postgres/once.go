package postgres

import (
	"context"
	"encoding/json"
	"fmt"

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

// once runs work in a transaction in which the request is claimed first and
// answered last, or returns what the request was answered before.
func once[T any](ctx context.Context, s *Store, req Request, work func(pgx.Tx) (*T, error)) (*T, error) {
	var result *T
	err := s.transact(ctx, func(tx pgx.Tx) error {
		result = nil
		out, err := idempotency.Claim(ctx, tx, req.key(), req.Hash)
		if err != nil {
			return err
		}
		if !out.Claimed {
			if !out.Answered {
				return idempotency.ErrGone
			}
			result = new(T)
			return decodeAnswer(out.Response, result)
		}
		if result, err = work(tx); err != nil {
			return err
		}
		answer, err := json.Marshal(result)
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		if _, err := idempotency.Answer(ctx, tx, req.key(), answer); err != nil {
			return err
		}
		return s.cfg.Guard(ctx)
	})
	if err != nil {
		return nil, gone(err)
	}
	return result, nil
}

func decodeAnswer(response []byte, into any) error {
	if err := json.Unmarshal(response, into); err != nil {
		return fmt.Errorf("decode stored answer: %w", err)
	}
	return nil
}
