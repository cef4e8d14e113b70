package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

const openAccountSQL = `INSERT INTO ledger_accounts (owner) VALUES ($1) ON CONFLICT (owner) DO NOTHING`

const grantPointsSQL = `WITH a AS (
  UPDATE ledger_accounts SET posted = posted + $2 WHERE owner = $1 RETURNING account_id, posted, pending_out),
t AS (
  INSERT INTO ledger_transfers (transfer_id, debit, credit, amount, kind, cause, state)
  SELECT $3, (SELECT account_id FROM ledger_accounts WHERE owner = 'system/issued'), a.account_id, $2, 'grant', $3, 'posted' FROM a)
SELECT posted, pending_out FROM a`

// GrantPoints gives points to a user.
func (s *Store) GrantPoints(ctx context.Context, req Request, user uuid.UUID, points int64) (*order.PointsAccount, error) {
	return once(ctx, s, req, nil, func(tx pgx.Tx) (*order.PointsAccount, error) {
		if _, err := tx.Exec(ctx, openAccountSQL, owner(user)); err != nil {
			return nil, fmt.Errorf("open account: %w", err)
		}
		a := &order.PointsAccount{User: user}
		if err := tx.QueryRow(ctx, grantPointsSQL, owner(user), points, uuid.Must(uuid.NewV7())).Scan(&a.Balance, &a.Held); err != nil {
			return nil, fmt.Errorf("grant points: %w", err)
		}
		return a, nil
	})
}
