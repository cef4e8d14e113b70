package quickstart

import (
	"context"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// Catalog is the service. Its handlers run after the chain has admitted the call.
type Catalog struct {
	ordersv1.UnimplementedCatalogServiceServer

	// Save stores a product that caller, "users/{id}", has changed.
	Save func(ctx context.Context, caller string, product *ordersv1.Product) error
}

// UpsertProduct creates or replaces a product.
func (c Catalog) UpsertProduct(ctx context.Context, r *ordersv1.UpsertProductRequest) (*ordersv1.Product, error) {
	caller, _ := identity.FromContext(ctx) // always there: the method is not public
	if err := revocation.CommitGuard(ctx); err != nil {
		return nil, err // the chain makes TOKEN_REVOKED or REVOCATION_UNKNOWN of it
	}
	if err := c.Save(ctx, caller.Principal(), r.GetProduct()); err != nil {
		return nil, err // INTERNAL, unless it is made by package status
	}
	return r.GetProduct(), nil
}
