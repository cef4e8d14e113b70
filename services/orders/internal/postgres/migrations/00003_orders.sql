-- Orders, their lines, and the guards of their state machine.

-- +goose Up
CREATE TABLE orders (
  order_id            uuid PRIMARY KEY,
  user_id             uuid        NOT NULL,
  state               smallint    NOT NULL REFERENCES order_states,
  version             bigint      NOT NULL,
  -- Which row of order_transitions the last change was; order_guard() needs it,
  -- for (from, to) alone cannot tell two actions apart.
  last_action         text        NOT NULL,
  last_actor          text        NOT NULL,
  currency            char(3)     NOT NULL,
  items_minor         bigint      NOT NULL CHECK (items_minor >= 0),
  points              bigint      NOT NULL CHECK (points >= 0),
  points_minor        bigint      NOT NULL CHECK (points_minor >= 0),
  payable_minor       bigint      GENERATED ALWAYS AS (items_minor - points_minor) STORED CHECK (items_minor >= points_minor),
  refunded_minor      bigint      NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0),
  item_count          int         NOT NULL CHECK (item_count > 0),
  unit_count          int         NOT NULL CHECK (unit_count >= item_count),
  shipping_address    jsonb       NOT NULL,
  customer_note       text        NOT NULL,
  preview             jsonb       NOT NULL, -- the first three lines: what BASIC shows
  payment_expire_time timestamptz NOT NULL,
  create_time         timestamptz NOT NULL,
  update_time         timestamptz NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX orders_by_user  ON orders (user_id, create_time DESC, order_id DESC);
CREATE INDEX orders_by_time  ON orders (create_time DESC, order_id DESC);
CREATE INDEX orders_by_state ON orders (state, create_time DESC, order_id DESC);
CREATE INDEX orders_expiring ON orders (payment_expire_time) WHERE state = 1;

-- No foreign key to products, nor from reservations to stock: every order would
-- lock the row of a popular product, and those rows are never deleted.
CREATE TABLE order_items (
  order_id   uuid     NOT NULL REFERENCES orders,
  line_no    smallint NOT NULL,
  sku        text COLLATE "C" NOT NULL,
  title      text     NOT NULL,
  qty        int      NOT NULL CHECK (qty BETWEEN 1 AND 9999),
  unit_minor bigint   NOT NULL CHECK (unit_minor >= 0),
  PRIMARY KEY (order_id, line_no),
  UNIQUE (order_id, sku)
);

-- +goose StatementBegin
CREATE FUNCTION order_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'orders are never deleted' USING ERRCODE = 'CF001';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 1 OR NEW.version <> 1 OR NEW.last_action <> 'CreateOrder' OR NEW.last_actor <> 'customer' THEN
      RAISE EXCEPTION 'an order begins in PENDING_PAYMENT with version 1' USING ERRCODE = 'CF001';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.version <> OLD.version + 1 THEN
    RAISE EXCEPTION 'the version of an order grows by one' USING ERRCODE = 'CF001';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM order_transitions t
                 WHERE t.from_state = OLD.state AND t.action = NEW.last_action
                   AND t.actor_kind = NEW.last_actor AND t.to_state = NEW.state) THEN
    RAISE EXCEPTION 'no transition % by % from % to %', NEW.last_action, NEW.last_actor, OLD.state, NEW.state USING ERRCODE = 'CF001';
  END IF;
  IF (NEW.order_id, NEW.user_id, NEW.create_time, NEW.payment_expire_time)
     IS DISTINCT FROM (OLD.order_id, OLD.user_id, OLD.create_time, OLD.payment_expire_time)
     OR NEW.refunded_minor < OLD.refunded_minor THEN
    RAISE EXCEPTION 'owner and times of an order are fixed' USING ERRCODE = 'CF001';
  END IF;
  IF (NEW.currency, NEW.items_minor, NEW.points, NEW.points_minor, NEW.item_count, NEW.unit_count, NEW.shipping_address, NEW.customer_note, NEW.preview)
     IS DISTINCT FROM (OLD.currency, OLD.items_minor, OLD.points, OLD.points_minor, OLD.item_count, OLD.unit_count, OLD.shipping_address, OLD.customer_note, OLD.preview)
     AND NOT (SELECT editable FROM order_states s WHERE s.state = OLD.state) THEN
    RAISE EXCEPTION 'an order is edited in PENDING_PAYMENT only' USING ERRCODE = 'CF001';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER order_guard BEFORE INSERT OR UPDATE OR DELETE ON orders
  FOR EACH ROW EXECUTE FUNCTION order_guard();

-- Locks the orders whose lines changed: without the lock an edit could pass
-- while a payment of the same order begins.
-- +goose StatementBegin
CREATE FUNCTION order_item_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER order_item_insert AFTER INSERT ON order_items REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION order_item_guard();
CREATE TRIGGER order_item_update AFTER UPDATE ON order_items REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION order_item_guard();
CREATE TRIGGER order_item_delete AFTER DELETE ON order_items REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION order_item_guard();

-- +goose StatementBegin
CREATE FUNCTION order_item_move_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a line stays in its order' USING ERRCODE = 'CF001';
END $$;
-- +goose StatementEnd
CREATE TRIGGER order_item_move BEFORE UPDATE ON order_items
  FOR EACH ROW WHEN (OLD.order_id <> NEW.order_id) EXECUTE FUNCTION order_item_move_guard();

-- Counters and not one state: units of a reservation part ways.
CREATE TABLE stock_reservations (
  order_id   uuid     NOT NULL REFERENCES orders,
  sku        text COLLATE "C" NOT NULL,
  bucket     smallint NOT NULL,
  qty        int      NOT NULL CHECK (qty > 0),
  held       int      NOT NULL CHECK (held >= 0),
  committed  int      NOT NULL DEFAULT 0 CHECK (committed >= 0),
  dispatched int      NOT NULL DEFAULT 0 CHECK (dispatched >= 0),
  released   int      NOT NULL DEFAULT 0 CHECK (released >= 0),
  PRIMARY KEY (order_id, sku, bucket),
  CHECK (held + committed + dispatched + released = qty)
) WITH (fillfactor = 85);

-- +goose StatementBegin
CREATE FUNCTION stock_reservation_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.held <> OLD.qty THEN
      RAISE EXCEPTION 'only a reservation that is held whole is deleted' USING ERRCODE = 'CF001';
    END IF;
    RETURN OLD;
  END IF;
  IF NEW.dispatched < OLD.dispatched OR NEW.released < OLD.released THEN
    RAISE EXCEPTION 'dispatched and released units do not come back' USING ERRCODE = 'CF001';
  END IF;
  IF NEW.qty <> OLD.qty AND OLD.held <> OLD.qty THEN
    RAISE EXCEPTION 'only a reservation that is held whole is resized' USING ERRCODE = 'CF001';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER stock_reservation_guard BEFORE UPDATE OR DELETE ON stock_reservations
  FOR EACH ROW EXECUTE FUNCTION stock_reservation_guard();

-- +goose Down
DROP TABLE stock_reservations;
DROP TABLE order_items;
DROP TABLE orders;
DROP FUNCTION stock_reservation_guard;
DROP FUNCTION order_item_move_guard;
DROP FUNCTION order_item_guard;
DROP FUNCTION order_guard;
