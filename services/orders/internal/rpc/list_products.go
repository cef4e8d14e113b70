package rpc

import (
	"context"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// ListProducts implements ordersv1.CatalogServiceServer.
func (s *CatalogServer) ListProducts(ctx context.Context, r *ordersv1.ListProductsRequest) (*ordersv1.ListProductsResponse, error) {
	principal, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	list := []string{"ListProducts", principal}
	var after string
	if _, err := s.Pages.Open(r.GetPageToken(), &after, list...); err != nil {
		return nil, fail(err)
	}
	page, more, err := s.Products.ListProducts(ctx, after, pageSize(r.GetPageSize(), defaultProducts, maxProducts))
	if err != nil {
		return nil, fail(err)
	}
	out := &ordersv1.ListProductsResponse{}
	for _, p := range page {
		out.Products = append(out.Products, productMessage(p))
	}
	if more {
		out.NextPageToken, err = s.Pages.Seal(page[len(page)-1].SKU, list...)
	}
	return out, err
}
