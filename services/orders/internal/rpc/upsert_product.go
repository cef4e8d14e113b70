package rpc

import (
	"context"

	"github.com/google/uuid"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// UpsertProduct implements ordersv1.CatalogServiceServer.
func (s *CatalogServer) UpsertProduct(ctx context.Context, r *ordersv1.UpsertProductRequest) (*ordersv1.Product, error) {
	sku, err := parseProduct("product.name", r.GetProduct().GetName())
	if err != nil {
		return nil, err
	}
	req, err := command(ctx, ordersv1.CatalogService_UpsertProduct_FullMethodName, uuid.Nil, r)
	if err != nil {
		return nil, err
	}
	price, err := minor("product.unit_price", r.GetProduct().GetUnitPrice())
	if err != nil {
		return nil, err
	}
	p, err := s.Products.UpsertProduct(ctx, req, postgres.ProductChange{
		SKU: sku, Etag: r.GetProduct().GetEtag(), Title: r.GetProduct().GetTitle(), Currency: r.GetProduct().GetUnitPrice().GetCurrencyCode(),
		UnitMinor: price, Sellable: r.GetProduct().GetSellable(), OnHand: int64(r.GetProduct().GetOnHandQuantity()),
	})
	if err != nil {
		return nil, fail(err)
	}
	return productMessage(p), nil
}
