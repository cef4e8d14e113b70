package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

const holdPointsSQL = `WITH a AS (
  UPDATE ledger_accounts SET pending_out = pending_out + $2
  WHERE owner = $1 AND posted - pending_out >= $2 RETURNING account_id)
INSERT INTO ledger_transfers (transfer_id, debit, credit, amount, kind, order_id, cause, state)
SELECT $3, a.account_id, (SELECT account_id FROM ledger_accounts WHERE owner = 'system/redeemed'), $2, 'redeem', $4, $5, 'pending' FROM a`

const voidPointsSQL = `WITH v AS (
  UPDATE ledger_transfers SET state = 'voided'
  WHERE order_id = $1 AND kind = 'redeem' AND state = 'pending' RETURNING debit, amount)
UPDATE ledger_accounts a SET pending_out = a.pending_out - v.amount FROM v WHERE a.account_id = v.debit`

const returnPointsSQL = `WITH p AS (
  SELECT transfer_id, debit, credit, amount FROM ledger_transfers WHERE order_id = $1 AND kind = 'redeem' AND state = 'posted'),
n AS (
  INSERT INTO ledger_transfers (transfer_id, debit, credit, amount, kind, order_id, cause, state)
  SELECT gen_random_uuid(), p.credit, p.debit, p.amount, 'return', $1, p.transfer_id, 'posted' FROM p RETURNING credit, amount)
UPDATE ledger_accounts a SET posted = a.posted + n.amount FROM n WHERE a.account_id = n.credit`

const postPointsSQL = `WITH v AS (
  UPDATE ledger_transfers SET state = 'posted'
  WHERE order_id = $1 AND kind = 'redeem' AND state = 'pending' RETURNING debit, amount)
UPDATE ledger_accounts a SET pending_out = a.pending_out - v.amount, posted = a.posted - v.amount
FROM v WHERE a.account_id = v.debit`

const pointsLeftSQL = `SELECT posted - pending_out FROM ledger_accounts WHERE owner = $1`

// owner is the name of a user's points account in the ledger.
func owner(user uuid.UUID) string { return "users/" + user.String() }

// queueHoldPoints holds points of the user for the order, for the cause of one
// request. Its result affects one row, or none if the user has too few.
func queueHoldPoints(b *pgx.Batch, user, id uuid.UUID, points int64, cause uuid.UUID) {
	b.Queue(holdPointsSQL, owner(user), points, uuid.Must(uuid.NewV7()), id, cause)
}

// queueReleasePoints gives held points free and posted points back.
func queueReleasePoints(b *pgx.Batch, id uuid.UUID) {
	b.Queue(voidPointsSQL, id)
	b.Queue(returnPointsSQL, id)
}

// insufficient says how many points are missing.
func insufficient(ctx context.Context, tx pgx.Tx, user uuid.UUID, required int64) error {
	var left int64
	err := tx.QueryRow(ctx, pointsLeftSQL, owner(user)).Scan(&left)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read points: %w", err)
	}
	return &order.InsufficientPoints{Required: required, Available: left}
}
