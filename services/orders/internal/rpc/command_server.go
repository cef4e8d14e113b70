package rpc

import (
	"context"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Commands is what the command service needs of the database.
type Commands interface {
	CreateOrder(ctx context.Context, req postgres.Request, n postgres.NewOrder) (*order.Order, error)
	UpdateOrder(ctx context.Context, req postgres.Request, e postgres.OrderEdit) (*order.Order, error)
	CancelOrder(ctx context.Context, req postgres.Request, c postgres.Cancellation) (*order.Order, error)
	BeginPayment(ctx context.Context, req postgres.Request, n postgres.NewPayment) (*order.Order, *payment.Attempt, error)
	PaymentOutcome(ctx context.Context, req postgres.Request, n postgres.NewPayment) (*order.Order, error)
}

// CommandServer implements ordersv1.OrderCommandServiceServer.
type CommandServer struct {
	ordersv1.UnsafeOrderCommandServiceServer

	Orders   Commands
	Payments *payment.Driver
	// Changed is called after every command that changed something: it wakes
	// the relay of events. Owed is called after one that may have left an attempt
	// to the payment worker, which it wakes.
	Changed, Owed func()
}

var _ ordersv1.OrderCommandServiceServer = (*CommandServer)(nil)
