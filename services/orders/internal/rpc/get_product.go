package rpc

import (
	"context"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// GetProduct implements ordersv1.CatalogServiceServer.
func (s *CatalogServer) GetProduct(ctx context.Context, r *ordersv1.GetProductRequest) (*ordersv1.Product, error) {
	sku, err := parseProduct("name", r.GetName())
	if err != nil {
		return nil, err
	}
	p, err := s.Products.GetProduct(ctx, sku)
	if err != nil {
		return nil, fail(err)
	}
	return productMessage(p), nil
}
