package rpc

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/server/idempotency"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// errNoCaller: the method was called around the chain.
var errNoCaller = errors.New("the call carries no identity")

func caller(ctx context.Context) (string, error) {
	id, ok := identity.FromContext(ctx)
	if !ok {
		return "", errNoCaller
	}
	return id.Principal(), nil
}

// actorOn is who changes an order of the user: the user, or staff. That staff
// may is what the chain has decided.
func actorOn(principal string, user uuid.UUID) order.Actor {
	if principal == userName(user) {
		return order.Actor{Kind: order.ByCustomer, Principal: principal}
	}
	return order.Actor{Kind: order.ByStaff, Principal: principal}
}

// identified is a message with a request id.
type identified interface {
	proto.Message
	GetRequestId() string
}

// command returns what makes the command safe to repeat.
func command(ctx context.Context, method string, user uuid.UUID, m identified) (postgres.Request, error) {
	principal, err := caller(ctx)
	if err != nil {
		return postgres.Request{}, err
	}
	id, err := uuid.Parse(m.GetRequestId())
	if err != nil {
		return postgres.Request{}, invalid("request_id", "must be a UUID")
	}
	hash, err := idempotency.Hash(m)
	if err != nil {
		return postgres.Request{}, err
	}
	return postgres.Request{Actor: actorOn(principal, user), Method: method, ID: id, Hash: hash}, nil
}
