// Package orderview is the order view of the incident: it loads a page of
// orders and then, for each order and each line, whatever else it needs, one
// statement at a time.
package orderview

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Order is what the view shows.
type Order struct {
	ID       string
	State    string
	Lines    []Line
	Payments int
	Actions  []string
}

// Line is one line of an order.
type Line struct {
	SKU, Title string
	Quantity   int
}

// List returns the newest orders of a user.
func List(ctx context.Context, conn *pgx.Conn, user string, limit int) ([]Order, error) {
	ids, err := column[string](ctx, conn, "SELECT order_id::text FROM orders WHERE user_id = $1::uuid ORDER BY order_id DESC LIMIT $2", user, limit)
	if err != nil {
		return nil, err
	}
	orders := make([]Order, 0, len(ids))
	for _, id := range ids {
		o, err := load(ctx, conn, id)
		if err != nil {
			return nil, err
		}
		orders = append(orders, o)
	}
	return orders, nil
}

func load(ctx context.Context, conn *pgx.Conn, id string) (Order, error) {
	o := Order{ID: id}
	var state int16
	if err := conn.QueryRow(ctx, "SELECT state FROM orders WHERE order_id = $1::uuid", id).Scan(&state); err != nil {
		return Order{}, fmt.Errorf("load order: %w", err)
	}
	if err := conn.QueryRow(ctx, "SELECT code FROM order_states WHERE state = $1", state).Scan(&o.State); err != nil {
		return Order{}, fmt.Errorf("load state: %w", err)
	}
	skus, err := column[string](ctx, conn, "SELECT sku FROM order_items WHERE order_id = $1::uuid ORDER BY line_no", id)
	if err != nil {
		return Order{}, err
	}
	for _, sku := range skus {
		line := Line{SKU: sku}
		if err := conn.QueryRow(ctx, "SELECT title FROM products WHERE sku = $1", sku).Scan(&line.Title); err != nil {
			return Order{}, fmt.Errorf("load product: %w", err)
		}
		if err := conn.QueryRow(ctx, "SELECT qty FROM order_items WHERE order_id = $1::uuid AND sku = $2", id, sku).Scan(&line.Quantity); err != nil {
			return Order{}, fmt.Errorf("load quantity: %w", err)
		}
		o.Lines = append(o.Lines, line)
	}
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM payments WHERE order_id = $1::uuid", id).Scan(&o.Payments); err != nil {
		return Order{}, fmt.Errorf("load payments: %w", err)
	}
	o.Actions, err = column[string](ctx, conn, "SELECT DISTINCT action FROM order_transitions WHERE from_state = $1 AND actor_kind = 'customer'", state)
	return o, err
}

func column[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return values, nil
}
