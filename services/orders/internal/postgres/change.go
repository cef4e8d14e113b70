package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// The state is checked again in the statement that writes; the guard of the
// table checks the whole transition.
const changeSQL = `UPDATE orders SET state = $3, version = version + 1, last_action = $4, last_actor = $5,
refunded_minor = refunded_minor + $6, update_time = clock_timestamp()
WHERE order_id = $1 AND state = $2 RETURNING version, update_time`

// The outbox row is drawn after the order row is locked, so seq grows with the
// version of each order.
const eventSQL = `WITH e AS (
  INSERT INTO order_events (order_id, order_version, event_id, type, from_state, to_state, action, actor, note, create_time)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING order_id, order_version)
INSERT INTO outbox_events (part, order_id, order_version) SELECT $11, order_id, order_version FROM e`

const deltasSQL = `INSERT INTO stats_deltas (hour, state, currency, orders, units, gross_minor, refunded_minor)
SELECT $1, d.* FROM unnest($2::smallint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS d`

// outboxParts is how many parts the outbox has; the table of leases has as many rows.
const outboxParts = 16

// part is the part of the outbox that the events of an order are in. The last
// byte of a UUIDv7 is random.
func part(id uuid.UUID) int16 { return int16(id[15] % outboxParts) }

// change moves a locked order by an action, with its event and its statistics.
// refunded is added to what the order has refunded. o becomes the changed order.
func change(ctx context.Context, tx pgx.Tx, o *order.Order, action order.Action, actor order.Actor, note string, refunded int64) error {
	to, err := order.Next(o.State, action, actor.Kind)
	if err != nil {
		return err
	}
	before := *o
	row := tx.QueryRow(ctx, changeSQL, o.ID, o.State, to, action, actor.Kind, refunded)
	if err := row.Scan(&o.Version, &o.UpdateTime); err != nil {
		return fmt.Errorf("change order: %w", err)
	}
	o.State = to
	o.RefundedMinor += refunded
	o.UpdateTime = o.UpdateTime.UTC()
	var b pgx.Batch
	queueEvent(&b, o, before.State, eventType(action), action, actor, note)
	queueDeltas(&b, &before, o)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("record change: %w", err)
	}
	return nil
}

func eventType(action order.Action) order.EventType {
	switch action {
	case order.ActionCreate:
		return order.EventCreated
	case order.ActionUpdate:
		return order.EventUpdated
	case order.ActionRefundSucceeded, order.ActionRefundFailed:
		return order.EventRefundChanged
	default:
		return order.EventStateChanged
	}
}

// queueEvent adds the event of the order's present version; from is 0 for a new order.
func queueEvent(b *pgx.Batch, o *order.Order, from order.State, typ order.EventType, action order.Action, actor order.Actor, note string) {
	var fromState *order.State
	if from != 0 {
		fromState = &from
	}
	b.Queue(eventSQL, o.ID, o.Version, uuid.Must(uuid.NewV7()), typ, fromState, o.State, action, actor.Principal, note, o.UpdateTime, part(o.ID))
}

// queueDeltas adds what the change means for the statistics: the order leaves
// its old counts, unless it is new (before is nil), and enters its new ones.
func queueDeltas(b *pgx.Batch, before, after *order.Order) {
	var d deltas
	if before != nil {
		if sameCounts(before, after) {
			return
		}
		d.add(before, -1)
	}
	d.add(after, 1)
	b.Queue(deltasSQL, after.CreateTime.UTC().Truncate(time.Hour), d.state, d.currency, d.orders, d.units, d.gross, d.refunded)
}

func sameCounts(a, b *order.Order) bool {
	return a.State == b.State && a.Currency == b.Currency && a.Units == b.Units && a.PayableMinor == b.PayableMinor && a.RefundedMinor == b.RefundedMinor
}

// deltas are the columns of deltasSQL.
type deltas struct {
	state                          []int16
	currency                       []string
	orders, units, gross, refunded []int64
}

func (d *deltas) add(o *order.Order, sign int64) {
	d.state = append(d.state, int16(o.State))
	d.currency = append(d.currency, o.Currency)
	d.orders = append(d.orders, sign)
	d.units = append(d.units, sign*int64(o.Units))
	d.gross = append(d.gross, sign*o.PayableMinor)
	d.refunded = append(d.refunded, sign*o.RefundedMinor)
}
