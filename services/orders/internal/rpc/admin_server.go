package rpc

import (
	"context"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Administration is what the admin service needs of the database.
type Administration interface {
	SearchOrders(ctx context.Context, q postgres.Search, after postgres.Position, limit int) (*postgres.OrderPage, error)
	GrantPoints(ctx context.Context, req postgres.Request, user uuid.UUID, points int64) (*order.PointsAccount, error)
}

// AdminServer implements ordersv1.OrderAdminServiceServer.
type AdminServer struct {
	ordersv1.UnsafeOrderAdminServiceServer

	Orders Administration
	Pages  *pagetoken.Sealer
}

var _ ordersv1.OrderAdminServiceServer = (*AdminServer)(nil)
