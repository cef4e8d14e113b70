-- What must hold of the orders database at every moment. Every statement
-- returns no row; a line "-- name:" names what its rows break.

-- name: what is reserved is the sum of the reservations
SELECT s.sku, s.reserved, r.units FROM stock_levels s
LEFT JOIN (SELECT sku, bucket, sum(held + committed) AS units FROM stock_reservations GROUP BY 1, 2) r USING (sku, bucket)
WHERE s.reserved <> coalesce(r.units, 0) OR s.reserved > s.on_hand;

-- name: every reservation has its stock
SELECT r.order_id, r.sku FROM stock_reservations r LEFT JOIN stock_levels s USING (sku, bucket) WHERE s.sku IS NULL;

-- name: reservations follow the state of the order
SELECT o.order_id, o.state, r.* FROM orders o JOIN stock_reservations r USING (order_id)
WHERE (o.state IN (1, 2) AND r.held <> r.qty) OR (o.state = 3 AND r.committed <> r.qty) OR (o.state IN (9, 10) AND r.released <> r.qty)
   OR (o.state = 8 AND r.released > 0);

-- name: every line is reserved
SELECT o.order_id FROM orders o JOIN order_items i USING (order_id) LEFT JOIN stock_reservations r ON r.order_id = o.order_id AND r.sku = i.sku AND r.qty = i.qty
WHERE r.sku IS NULL;

-- name: sums of an order are those of its lines
SELECT o.order_id FROM orders o JOIN order_items i USING (order_id) GROUP BY o.order_id
HAVING sum(i.qty * i.unit_minor) <> max(o.items_minor) OR count(*) <> max(o.item_count) OR sum(i.qty) <> max(o.unit_count);

-- name: an order has lines
SELECT order_id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM order_items i WHERE i.order_id = o.order_id);

-- name: points follow the state of the order
SELECT o.order_id, o.state, o.points, t.state FROM orders o
LEFT JOIN ledger_transfers t ON t.order_id = o.order_id AND t.kind = 'redeem' AND t.state <> 'voided'
WHERE (o.points > 0 AND o.state IN (1, 2) AND (t.state IS DISTINCT FROM 'pending' OR t.amount <> o.points))
   OR (o.points > 0 AND o.state = 3 AND (t.state IS DISTINCT FROM 'posted' OR t.amount <> o.points))
   OR (o.state IN (9, 10) AND t.state = 'pending') OR (o.points = 0 AND t.state IS NOT NULL);

-- name: posted points of an order are returned exactly when it is cancelled
SELECT o.order_id FROM orders o JOIN ledger_transfers t ON t.order_id = o.order_id AND t.kind = 'redeem' AND t.state = 'posted'
LEFT JOIN ledger_transfers b ON b.order_id = o.order_id AND b.kind = 'return' AND b.cause = t.transfer_id AND b.amount = t.amount
WHERE (o.state IN (9, 10)) <> (b.transfer_id IS NOT NULL);

-- name: accounts are the sums of their transfers
SELECT a.owner, a.posted, a.pending_out FROM ledger_accounts a
LEFT JOIN LATERAL (SELECT
  coalesce(sum(amount) FILTER (WHERE state = 'pending' AND debit = a.account_id), 0) AS held,
  coalesce(sum(amount) FILTER (WHERE state = 'posted' AND credit = a.account_id), 0) - coalesce(sum(amount) FILTER (WHERE state = 'posted' AND debit = a.account_id), 0) AS balance
  FROM ledger_transfers WHERE debit = a.account_id OR credit = a.account_id) x ON true
WHERE a.owner LIKE 'users/%' AND (a.pending_out <> x.held OR a.posted <> x.balance);

-- name: the ledger sums to zero
SELECT sum(balance) FROM (
  SELECT -amount AS balance FROM ledger_transfers WHERE state = 'posted' UNION ALL SELECT amount FROM ledger_transfers WHERE state = 'posted') t
HAVING sum(balance) <> 0;

-- name: every transfer has its accounts
SELECT transfer_id FROM ledger_transfers t
WHERE NOT EXISTS (SELECT 1 FROM ledger_accounts WHERE account_id = t.debit) OR NOT EXISTS (SELECT 1 FROM ledger_accounts WHERE account_id = t.credit);

-- name: versions are dense and equal to the last event
SELECT o.order_id, o.version, count(e.*) FROM orders o LEFT JOIN order_events e USING (order_id) GROUP BY 1, 2
HAVING count(e.*) <> o.version OR max(e.order_version) <> o.version;

-- name: every event is a row of the state machine
SELECT e.order_id, e.from_state, e.action, e.to_state FROM order_events e
WHERE NOT (e.from_state IS NULL AND e.action = 'CreateOrder' AND e.order_version = 1)
  AND NOT EXISTS (SELECT 1 FROM order_transitions t WHERE t.from_state = e.from_state AND t.action = e.action AND t.to_state = e.to_state);

-- name: captured is the sum of captures
SELECT payment_id FROM payments p
WHERE captured_minor <> coalesce((SELECT sum(amount_minor) FROM payment_attempts a WHERE a.payment_id = p.payment_id AND operation = 'capture' AND state = 'succeeded'), 0);

-- name: refunded is the sum of refunds
SELECT payment_id FROM payments p
WHERE refunded_minor <> coalesce((SELECT sum(amount_minor) FROM payment_attempts a WHERE a.payment_id = p.payment_id AND operation = 'refund' AND state = 'succeeded'), 0)
   OR refunded_minor <> coalesce((SELECT sum(amount_minor) FROM refunds r WHERE r.payment_id = p.payment_id AND state = 'succeeded'), 0);

-- name: held for refunds is the sum of refunds under way
SELECT payment_id FROM payments p
WHERE refund_held_minor <> coalesce((SELECT sum(amount_minor) FROM refunds r WHERE r.payment_id = p.payment_id AND state = 'processing'), 0);

-- name: nothing is refunded beyond what was captured
SELECT payment_id FROM payments WHERE refund_held_minor + refunded_minor > captured_minor;

-- name: an order counts what was refunded
SELECT o.order_id FROM orders o WHERE o.refunded_minor <> coalesce((SELECT sum(refunded_minor) FROM payments p WHERE p.order_id = o.order_id), 0);

-- name: an order is paid once
SELECT order_id FROM payments GROUP BY 1 HAVING count(*) FILTER (WHERE captured_minor > 0) > 1;

-- name: CONFIRMED has the money
SELECT o.order_id FROM orders o WHERE o.state = 3 AND o.payable_minor > 0
  AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.order_id AND p.captured_minor = o.payable_minor);

-- name: PENDING_PAYMENT, CANCELLED and EXPIRED have no money and none can come
SELECT o.order_id, o.state, p.state FROM orders o JOIN payments p USING (order_id)
WHERE o.state IN (1, 9, 10) AND (p.state NOT IN ('failed', 'voided', 'captured') OR p.captured_minor <> p.refunded_minor);

-- name: PAYING and CANCELLING have an operation under way
SELECT o.order_id, o.state FROM orders o WHERE o.state IN (2, 8)
  AND NOT EXISTS (SELECT 1 FROM payments p JOIN payment_attempts a USING (payment_id) WHERE p.order_id = o.order_id AND a.state IN ('in_flight', 'indeterminate'));

-- name: a payment under way has its attempt
SELECT p.payment_id FROM payments p WHERE p.state IN ('authorizing', 'capturing', 'voiding')
  AND NOT EXISTS (SELECT 1 FROM payment_attempts a WHERE a.payment_id = p.payment_id AND a.state IN ('in_flight', 'indeterminate'));

-- name: a payment that ended has answered its request
SELECT p.payment_id, p.state FROM payments p LEFT JOIN idempotency_keys k ON k.principal = p.principal AND k.request_id = p.request_id AND k.method LIKE '%/PayOrder'
WHERE (p.state IN ('captured', 'voided', 'failed')) <> (k.answer_time IS NOT NULL);

-- name: a request to create has one effect
SELECT e.order_id FROM order_events e
LEFT JOIN (SELECT (convert_from(response, 'UTF8')::jsonb ->> 'id')::uuid AS order_id, count(*) AS answers FROM idempotency_keys
           WHERE method LIKE '%/CreateOrder' AND response IS NOT NULL GROUP BY 1) k USING (order_id)
WHERE e.order_version = 1 AND k.answers IS DISTINCT FROM 1;

-- name: statistics are a recount of the orders
SELECT * FROM (
  SELECT hour, state, currency, sum(orders) AS orders, sum(units) AS units, sum(gross_minor) AS gross, sum(refunded_minor) AS refunded
  FROM (SELECT hour, state, currency, orders, units, gross_minor, refunded_minor FROM stats_hours
        UNION ALL SELECT hour, state, currency, orders, units, gross_minor, refunded_minor FROM stats_deltas) d
  GROUP BY 1, 2, 3 HAVING sum(orders) <> 0 OR sum(units) <> 0 OR sum(gross_minor) <> 0 OR sum(refunded_minor) <> 0) counted
FULL JOIN (
  SELECT date_trunc('hour', create_time, 'UTC') AS hour, state, currency, count(*) AS orders, sum(unit_count) AS units, sum(payable_minor) AS gross, sum(refunded_minor) AS refunded
  FROM orders GROUP BY 1, 2, 3) recount USING (hour, state, currency, orders, units, gross, refunded)
WHERE counted IS NULL OR recount IS NULL;

-- name: the provider's books are ours
SELECT p.payment_id, p.state, b.* FROM payments p
LEFT JOIN LATERAL (SELECT coalesce(sum(amount_minor) FILTER (WHERE operation = 'capture'), 0) AS captured, coalesce(sum(amount_minor) FILTER (WHERE operation = 'refund'), 0) AS refunded,
  coalesce(bool_or(operation = 'authorize'), false) AND NOT coalesce(bool_or(operation IN ('void', 'capture')), false) AS open
  FROM simulated_operations s WHERE s.payment_id = p.payment_id AND s.accepted) b ON true
WHERE NOT EXISTS (SELECT 1 FROM payment_attempts a WHERE a.payment_id = p.payment_id AND a.state IN ('in_flight', 'indeterminate'))
  AND (p.captured_minor <> b.captured OR p.refunded_minor <> b.refunded OR b.open);
