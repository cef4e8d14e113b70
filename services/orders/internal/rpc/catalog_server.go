package rpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Catalog is what the catalog service needs of the database.
type Catalog interface {
	GetProduct(ctx context.Context, sku string) (*order.Product, error)
	ListProducts(ctx context.Context, after string, limit int) (page []*order.Product, more bool, err error)
	UpsertProduct(ctx context.Context, req postgres.Request, c postgres.ProductChange) (*order.Product, error)
}

// CatalogServer implements ordersv1.CatalogServiceServer.
type CatalogServer struct {
	ordersv1.UnsafeCatalogServiceServer

	Products Catalog
	Pages    *pagetoken.Sealer
}

var _ ordersv1.CatalogServiceServer = (*CatalogServer)(nil)

func productMessage(p *order.Product) *ordersv1.Product {
	return &ordersv1.Product{
		Name:              productName(p.SKU),
		Title:             p.Title,
		UnitPrice:         moneyMessage(p.Currency, p.UnitMinor),
		Sellable:          p.Sellable,
		OnHandQuantity:    int32(p.OnHand),              //nolint:gosec // At most order.MaxOnHand.
		AvailableQuantity: int32(p.OnHand - p.Reserved), //nolint:gosec // At most order.MaxOnHand.
		CreateTime:        timestamppb.New(p.CreateTime),
		UpdateTime:        timestamppb.New(p.UpdateTime),
		Etag:              p.Etag(),
	}
}
