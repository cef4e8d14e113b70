-- The guard of the lines finds each order by its key. As one join it depended
-- on statistics: a connection that had planned it while there were few orders
-- read all of them for every new order, until the next ANALYZE.

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION order_item_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  id      uuid;
  locked  smallint;
BEGIN
  FOR id IN SELECT DISTINCT c.order_id FROM changed c ORDER BY c.order_id LOOP
    SELECT o.state INTO locked FROM orders o WHERE o.order_id = id FOR NO KEY UPDATE;
    IF NOT (SELECT s.editable FROM order_states s WHERE s.state = locked) THEN
      RAISE EXCEPTION 'the lines of an order are edited in PENDING_PAYMENT only' USING ERRCODE = 'CF001';
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION order_item_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM (SELECT o.state FROM orders o WHERE o.order_id IN (SELECT c.order_id FROM changed c)
                  ORDER BY o.order_id FOR NO KEY UPDATE) l
           JOIN order_states s USING (state) WHERE NOT s.editable;
  IF FOUND THEN
    RAISE EXCEPTION 'the lines of an order are edited in PENDING_PAYMENT only' USING ERRCODE = 'CF001';
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
