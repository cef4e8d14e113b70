package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

const lockStockSQL = `SELECT sku, on_hand - reserved FROM stock_levels
WHERE sku = ANY($1) ORDER BY sku, bucket FOR NO KEY UPDATE`

const reserveStockSQL = `UPDATE stock_levels s SET reserved = reserved + w.qty
FROM unnest($1::text[], $2::int[]) AS w (sku, qty)
WHERE s.sku = w.sku AND s.bucket = 0 AND s.on_hand - s.reserved >= w.qty`

const insertReservationsSQL = `INSERT INTO stock_reservations (order_id, sku, bucket, qty, held)
SELECT $1, w.sku, 0, w.qty, w.qty FROM unnest($2::text[], $3::int[]) AS w (sku, qty)`

const lockReservedStockSQL = `SELECT 1 FROM stock_levels
WHERE sku = ANY (ARRAY(SELECT sku FROM stock_reservations WHERE order_id = $1)) ORDER BY sku, bucket FOR NO KEY UPDATE`

const releaseStockSQL = `WITH old AS (
  SELECT sku, bucket, held + committed AS units FROM stock_reservations WHERE order_id = $1 AND held + committed > 0),
gone AS (
  UPDATE stock_reservations r SET released = r.released + old.units, held = 0, committed = 0
  FROM old WHERE r.order_id = $1 AND r.sku = old.sku AND r.bucket = old.bucket)
UPDATE stock_levels s SET reserved = s.reserved - old.units
FROM old WHERE s.sku = old.sku AND s.bucket = old.bucket`

const commitStockSQL = `UPDATE stock_reservations SET committed = committed + held, held = 0 WHERE order_id = $1 AND held > 0`

// quantities returns the lines as the arrays of the statements above.
func quantities(lines []order.Line) (skus []string, qty []int32) {
	for _, l := range lines {
		skus = append(skus, l.SKU)
		qty = append(qty, int32(l.Quantity)) //nolint:gosec // At most order.MaxQuantity.
	}
	return skus, qty
}

// queueReservation locks the stock of the lines in order, reserves it and notes
// the reservation. The three results are read by readReservation.
func queueReservation(b *pgx.Batch, id uuid.UUID, lines []order.Line) {
	skus, qty := quantities(lines)
	b.Queue(lockStockSQL, skus)
	b.Queue(reserveStockSQL, skus, qty)
	b.Queue(insertReservationsSQL, id, skus, qty)
}

// readReservation reads the results of queueReservation and returns
// *order.OutOfStock if a line is short; the caller then rolls back.
func readReservation(results pgx.BatchResults, lines []order.Line) error {
	rows, err := results.Query()
	if err != nil {
		return fmt.Errorf("lock stock: %w", err)
	}
	available := map[string]int64{}
	var sku string
	var free int64
	if _, err := pgx.ForEachRow(rows, []any{&sku, &free}, func() error { available[sku] += free; return nil }); err != nil {
		return fmt.Errorf("lock stock: %w", err)
	}
	tag, err := results.Exec()
	if err != nil {
		return fmt.Errorf("reserve stock: %w", err)
	}
	if tag.RowsAffected() != int64(len(lines)) {
		for _, l := range lines {
			if available[l.SKU] < int64(l.Quantity) {
				return &order.OutOfStock{SKU: l.SKU, Requested: int64(l.Quantity), Available: available[l.SKU]}
			}
		}
		return fmt.Errorf("reserve stock: %d of %d rows", tag.RowsAffected(), len(lines))
	}
	if _, err := results.Exec(); err != nil {
		return fmt.Errorf("note reservation: %w", err)
	}
	return nil
}

// releaseOrder gives points and stock of an order back, in the transaction in
// which it enters CANCELLED or EXPIRED.
func releaseOrder(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	var b pgx.Batch
	queueReleasePoints(&b, id)
	b.Queue(lockReservedStockSQL, id)
	b.Queue(releaseStockSQL, id)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("release points and stock: %w", err)
	}
	return nil
}

// commitOrder makes what an order holds final, in the transaction in which it
// enters CONFIRMED.
func commitOrder(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	var b pgx.Batch
	b.Queue(postPointsSQL, id)
	b.Queue(commitStockSQL, id)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("commit points and stock: %w", err)
	}
	return nil
}
