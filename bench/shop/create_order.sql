-- What CreateOrder runs for an order of two lines, statement by statement and in
-- the same three round trips, without the service around it. The plain script is
-- this one without its pipelines.
\set n :n + 1
\set a random(0, :products - 1)
\set b (:a + 1 + random(0, :products - 2)) % :products
\set id :base + :client_id * 1000000000 + :n
\startpipeline
BEGIN;
INSERT INTO idempotency_keys (principal, method, request_id, request_hash)
VALUES ('users/' || :user::text, '/curfew.orders.v1.OrderCommandService/CreateOrder', lpad(to_hex(:id::bigint), 32, '0')::uuid, sha256('request'::bytea)) ON CONFLICT DO NOTHING RETURNING create_time;
SELECT sku, title, currency, unit_minor, sellable FROM products WHERE sku = ANY(ARRAY[:prefix::text || :a::text, :prefix::text || :b::text]);
\endpipeline
\startpipeline
INSERT INTO orders (order_id, user_id, state, version, last_action, last_actor, currency, items_minor,
  points, points_minor, item_count, unit_count, shipping_address, customer_note, preview, payment_expire_time, create_time, update_time)
VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, :user::uuid, 1, 1, 'CreateOrder', 'customer', 'EUR', 2500, 0, 0, 2, 2,
  '{"recipient": "A. Customer", "lines": ["1 Main Street"], "locality": "Berlin", "postal_code": "10115", "region": "DE"}', '',
  '[{"sku": "product", "title": "Product", "quantity": 1, "unit_minor": 1250}, {"sku": "product", "title": "Product", "quantity": 1, "unit_minor": 1250}]',
  now() + interval '30 minutes', now(), now());
INSERT INTO order_items (order_id, line_no, sku, title, qty, unit_minor)
SELECT lpad(to_hex(:id::bigint), 32, '0')::uuid, l.line_no - 1, l.sku, l.title, l.qty, l.unit_minor
FROM unnest(ARRAY[:prefix::text || :a::text, :prefix::text || :b::text], ARRAY['Product', 'Product'], ARRAY[1, 1], ARRAY[1250, 1250]::bigint[]) WITH ORDINALITY AS l (sku, title, qty, unit_minor, line_no);
WITH e AS (
  INSERT INTO order_events (order_id, order_version, event_id, type, from_state, to_state, action, actor, note, create_time)
  VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, 1, lpad(to_hex(:id::bigint), 32, '0')::uuid, 1, NULL, 1, 'CreateOrder', 'users/' || :user::text, '', now()) RETURNING order_id, order_version)
INSERT INTO outbox_events (part, order_id, order_version) SELECT (:n::bigint % 16)::smallint, order_id, order_version FROM e;
INSERT INTO stats_deltas (hour, state, currency, orders, units, gross_minor, refunded_minor)
VALUES (date_trunc('hour', now()), 1, 'EUR', 1, 2, 2500, 0);
UPDATE idempotency_keys SET response = '{"name": "users/-/orders/-", "state": "PENDING_PAYMENT", "totals": {"items": 2500, "payable": 2500}}'::bytea, answer_time = clock_timestamp()
WHERE principal = 'users/' || :user::text AND method = '/curfew.orders.v1.OrderCommandService/CreateOrder' AND request_id = lpad(to_hex(:id::bigint), 32, '0')::uuid AND answer_time IS NULL;
SELECT sku, on_hand - reserved FROM stock_levels WHERE sku = ANY(ARRAY[:prefix::text || :a::text, :prefix::text || :b::text]) ORDER BY sku, bucket FOR NO KEY UPDATE;
UPDATE stock_levels s SET reserved = reserved + w.qty
FROM unnest(ARRAY[:prefix::text || :a::text, :prefix::text || :b::text], ARRAY[1, 1]) AS w (sku, qty)
WHERE s.sku = w.sku AND s.bucket = 0 AND s.on_hand - s.reserved >= w.qty;
INSERT INTO stock_reservations (order_id, sku, bucket, qty, held)
SELECT lpad(to_hex(:id::bigint), 32, '0')::uuid, w.sku, 0, w.qty, w.qty FROM unnest(ARRAY[:prefix::text || :a::text, :prefix::text || :b::text], ARRAY[1, 1]) AS w (sku, qty);
\endpipeline
COMMIT;
