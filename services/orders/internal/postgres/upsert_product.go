package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// ProductChange is a product that is to be created or replaced.
type ProductChange struct {
	SKU       string
	Etag      string
	Title     string
	Currency  string
	UnitMinor int64
	Sellable  bool
	OnHand    int64
}

const productVersionSQL = `SELECT version FROM products WHERE sku = $1 FOR NO KEY UPDATE`

const upsertProductSQL = `INSERT INTO products (sku, title, currency, unit_minor, sellable) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (sku) DO UPDATE SET title = excluded.title, currency = excluded.currency, unit_minor = excluded.unit_minor,
  sellable = excluded.sellable, version = products.version + 1, update_time = clock_timestamp()
RETURNING version, create_time, update_time`

const upsertStockSQL = `INSERT INTO stock_levels (sku, bucket, on_hand) VALUES ($1, 0, $2)
ON CONFLICT (sku, bucket) DO UPDATE SET on_hand = excluded.on_hand WHERE stock_levels.reserved <= excluded.on_hand
RETURNING reserved`

const reservedSQL = `SELECT reserved FROM stock_levels WHERE sku = $1 AND bucket = 0`

// UpsertProduct creates a product or replaces it. The refusals are
// *order.EtagMismatch (also for an etag of a product that does not exist) and
// *order.StockBelowReserved.
func (s *Store) UpsertProduct(ctx context.Context, req Request, c ProductChange) (*order.Product, error) {
	return once(ctx, s, req, nil, func(tx pgx.Tx) (*order.Product, error) {
		if c.Etag != "" {
			if err := checkProductEtag(ctx, tx, c); err != nil {
				return nil, err
			}
		}
		p := &order.Product{SKU: c.SKU, Title: c.Title, Currency: c.Currency, UnitMinor: c.UnitMinor, Sellable: c.Sellable, OnHand: c.OnHand}
		row := tx.QueryRow(ctx, upsertProductSQL, c.SKU, c.Title, c.Currency, c.UnitMinor, c.Sellable)
		if err := row.Scan(&p.Version, &p.CreateTime, &p.UpdateTime); err != nil {
			return nil, fmt.Errorf("upsert product: %w", err)
		}
		p.CreateTime, p.UpdateTime = p.CreateTime.UTC(), p.UpdateTime.UTC()
		err := tx.QueryRow(ctx, upsertStockSQL, c.SKU, c.OnHand).Scan(&p.Reserved)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, belowReserved(ctx, tx, c.SKU)
		}
		if err != nil {
			return nil, fmt.Errorf("upsert stock: %w", err)
		}
		return p, nil
	})
}

func checkProductEtag(ctx context.Context, tx pgx.Tx, c ProductChange) error {
	var version int64
	err := tx.QueryRow(ctx, productVersionSQL, c.SKU).Scan(&version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read product: %w", err)
	}
	if etag := order.Etag(version); etag != c.Etag {
		return &order.EtagMismatch{Current: etag}
	}
	return nil
}

func belowReserved(ctx context.Context, tx pgx.Tx, sku string) error {
	refusal := &order.StockBelowReserved{SKU: sku}
	if err := tx.QueryRow(ctx, reservedSQL, sku).Scan(&refusal.Reserved); err != nil {
		return fmt.Errorf("read stock: %w", err)
	}
	return refusal
}
