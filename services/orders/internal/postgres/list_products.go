package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

const listProductsSQL = productSelect + `WHERE p.sku > $1 ORDER BY p.sku LIMIT $2`

// ListProducts returns at most limit products after the SKU, by SKU, and
// whether there are more. An empty SKU begins at the first.
func (s *Store) ListProducts(ctx context.Context, after string, limit int) (page []*order.Product, more bool, err error) {
	rows, err := s.read.Query(ctx, listProductsSQL, after, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("list products: %w", unavailable(err))
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[productRow])
	if err != nil {
		return nil, false, fmt.Errorf("list products: %w", unavailable(err))
	}
	for _, r := range found[:min(len(found), limit)] {
		page = append(page, r.product())
	}
	return page, len(found) > limit, nil
}
