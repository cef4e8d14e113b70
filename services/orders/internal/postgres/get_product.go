package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// One bucket per product today; the sum holds for more.
const productSelect = `SELECT p.sku, p.title, p.currency, p.unit_minor, p.sellable, p.version, p.create_time, p.update_time, s.on_hand, s.reserved
FROM products p CROSS JOIN LATERAL (
  SELECT coalesce(sum(on_hand), 0)::bigint AS on_hand, coalesce(sum(reserved), 0)::bigint AS reserved
  FROM stock_levels l WHERE l.sku = p.sku) s `

const getProductSQL = productSelect + `WHERE p.sku = $1`

type productRow struct {
	SKU        string    `db:"sku"`
	Title      string    `db:"title"`
	Currency   string    `db:"currency"`
	UnitMinor  int64     `db:"unit_minor"`
	Sellable   bool      `db:"sellable"`
	Version    int64     `db:"version"`
	CreateTime time.Time `db:"create_time"`
	UpdateTime time.Time `db:"update_time"`
	OnHand     int64     `db:"on_hand"`
	Reserved   int64     `db:"reserved"`
}

func (r *productRow) product() *order.Product {
	return &order.Product{
		SKU: r.SKU, Title: r.Title, Currency: r.Currency, UnitMinor: r.UnitMinor, Sellable: r.Sellable, Version: r.Version,
		OnHand: r.OnHand, Reserved: r.Reserved, CreateTime: r.CreateTime.UTC(), UpdateTime: r.UpdateTime.UTC(),
	}
}

// GetProduct returns a product, or order.ErrProductNotFound.
func (s *Store) GetProduct(ctx context.Context, sku string) (*order.Product, error) {
	rows, err := s.read.Query(ctx, getProductSQL, sku)
	if err != nil {
		return nil, fmt.Errorf("get product: %w", unavailable(err))
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[productRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, order.ErrProductNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get product: %w", unavailable(err))
	}
	return row.product(), nil
}
