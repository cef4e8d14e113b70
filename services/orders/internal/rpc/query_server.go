package rpc

import (
	"context"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Queries is what the query service needs of the database.
type Queries interface {
	GetOrder(ctx context.Context, user, id uuid.UUID, full bool) (*order.Order, error)
	ListOrders(ctx context.Context, user *uuid.UUID, after postgres.Position, limit int, full bool) (*postgres.OrderPage, error)
}

// QueryServer implements ordersv1.OrderQueryServiceServer.
type QueryServer struct {
	ordersv1.UnsafeOrderQueryServiceServer

	Orders Queries
	Pages  *pagetoken.Sealer
}

var _ ordersv1.OrderQueryServiceServer = (*QueryServer)(nil)
