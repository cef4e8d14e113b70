-- Money at the provider: payments, what was asked for them, refunds.

-- +goose Up
CREATE TABLE payment_transitions (
  from_state text NOT NULL,
  to_state   text NOT NULL,
  PRIMARY KEY (from_state, to_state)
);
INSERT INTO payment_transitions (from_state, to_state) VALUES
  ('authorizing', 'capturing'),
  ('authorizing', 'authorized'), -- the order was cancelled meanwhile
  ('authorizing', 'failed'),
  ('authorized',  'voiding'),
  ('capturing',   'captured'),
  ('capturing',   'voiding'),    -- the capture was refused
  ('voiding',     'voided');

CREATE TABLE payments (
  payment_id        uuid PRIMARY KEY,
  order_id          uuid   NOT NULL REFERENCES orders,
  state             text   NOT NULL CHECK (state IN ('authorizing', 'authorized', 'capturing', 'captured', 'voiding', 'voided', 'failed')),
  currency          char(3) NOT NULL,
  amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
  captured_minor    bigint NOT NULL DEFAULT 0,
  refund_held_minor bigint NOT NULL DEFAULT 0,
  refunded_minor    bigint NOT NULL DEFAULT 0,
  provider          text   NOT NULL,
  method_token      text   NOT NULL,
  -- The request whose answer is the outcome of this payment.
  principal         text   NOT NULL,
  request_id        uuid   NOT NULL,
  create_time       timestamptz NOT NULL DEFAULT now(),
  UNIQUE (principal, request_id),
  CHECK (captured_minor BETWEEN 0 AND amount_minor),
  CHECK ((state = 'captured') = (captured_minor > 0)),
  CONSTRAINT no_over_refund CHECK (refund_held_minor >= 0 AND refunded_minor >= 0 AND refund_held_minor + refunded_minor <= captured_minor)
) WITH (fillfactor = 85);
CREATE INDEX payments_by_order ON payments (order_id, create_time, payment_id);
CREATE UNIQUE INDEX one_live_payment ON payments (order_id) WHERE state NOT IN ('failed', 'voided');

-- +goose StatementBegin
CREATE FUNCTION payment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'payments are never deleted' USING ERRCODE = 'CF001';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'authorizing' THEN
      RAISE EXCEPTION 'a payment begins with the authorization' USING ERRCODE = 'CF001';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.state <> OLD.state AND NOT EXISTS (SELECT 1 FROM payment_transitions t WHERE t.from_state = OLD.state AND t.to_state = NEW.state) THEN
    RAISE EXCEPTION 'no payment transition from % to %', OLD.state, NEW.state USING ERRCODE = 'CF001';
  END IF;
  IF (NEW.payment_id, NEW.order_id, NEW.currency, NEW.amount_minor, NEW.provider, NEW.principal, NEW.request_id, NEW.create_time)
     IS DISTINCT FROM (OLD.payment_id, OLD.order_id, OLD.currency, OLD.amount_minor, OLD.provider, OLD.principal, OLD.request_id, OLD.create_time)
     OR (NEW.captured_minor <> OLD.captured_minor AND NEW.state = OLD.state) OR NEW.refunded_minor < OLD.refunded_minor THEN
    RAISE EXCEPTION 'what a payment is for is fixed' USING ERRCODE = 'CF001';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER payment_guard BEFORE INSERT OR UPDATE OR DELETE ON payments
  FOR EACH ROW EXECUTE FUNCTION payment_guard();

CREATE TABLE refunds (
  refund_id    uuid PRIMARY KEY,
  order_id     uuid   NOT NULL REFERENCES orders,
  payment_id   uuid   NOT NULL REFERENCES payments,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  state        text   NOT NULL CHECK (state IN ('processing', 'succeeded', 'failed')),
  create_time  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refunds_by_order ON refunds (order_id, create_time, refund_id);

-- +goose StatementBegin
CREATE FUNCTION refund_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' AND NEW.state = 'processing' THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.state = 'processing' AND NEW.state IN ('succeeded', 'failed')
     AND (NEW.refund_id, NEW.order_id, NEW.payment_id, NEW.amount_minor) IS NOT DISTINCT FROM (OLD.refund_id, OLD.order_id, OLD.payment_id, OLD.amount_minor) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a refund begins in processing and ends once' USING ERRCODE = 'CF001';
END $$;
-- +goose StatementEnd
CREATE TRIGGER refund_guard BEFORE INSERT OR UPDATE OR DELETE ON refunds
  FOR EACH ROW EXECUTE FUNCTION refund_guard();

-- Written before the call leaves: its id is the idempotency key at the provider.
CREATE TABLE payment_attempts (
  attempt_id      uuid PRIMARY KEY,
  payment_id      uuid   NOT NULL REFERENCES payments,
  refund_id       uuid   REFERENCES refunds,
  operation       text   NOT NULL CHECK (operation IN ('authorize', 'capture', 'void', 'refund')),
  amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
  state           text   NOT NULL CHECK (state IN ('in_flight', 'indeterminate', 'succeeded', 'declined')),
  tries           int    NOT NULL DEFAULT 0,
  next_check_time timestamptz NOT NULL,
  create_time     timestamptz NOT NULL DEFAULT now(),
  CHECK ((operation = 'refund') = (refund_id IS NOT NULL))
);
-- One operation at a time: a void beside a capture would leave to the provider which of them counts.
CREATE UNIQUE INDEX one_op_in_flight ON payment_attempts (payment_id, coalesce(refund_id, '00000000-0000-0000-0000-000000000000'))
  WHERE state IN ('in_flight', 'indeterminate');
CREATE INDEX attempts_to_check ON payment_attempts (next_check_time) WHERE state IN ('in_flight', 'indeterminate');
CREATE INDEX attempts_by_payment ON payment_attempts (payment_id);

-- +goose StatementBegin
CREATE FUNCTION payment_attempt_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' AND NEW.state = 'in_flight' THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.state IN ('in_flight', 'indeterminate') AND (NEW.state <> 'in_flight' OR OLD.state = 'in_flight')
     AND (NEW.attempt_id, NEW.payment_id, NEW.refund_id, NEW.operation, NEW.amount_minor, NEW.create_time)
         IS NOT DISTINCT FROM (OLD.attempt_id, OLD.payment_id, OLD.refund_id, OLD.operation, OLD.amount_minor, OLD.create_time) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'an attempt is open once and closed once' USING ERRCODE = 'CF001';
END $$;
-- +goose StatementEnd
CREATE TRIGGER payment_attempt_guard BEFORE INSERT OR UPDATE OR DELETE ON payment_attempts
  FOR EACH ROW EXECUTE FUNCTION payment_attempt_guard();

-- What an order's state promises about money, stock and points, checked at commit.
-- +goose StatementBegin
CREATE FUNCTION order_promise() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  o orders%ROWTYPE;
BEGIN
  SELECT * INTO o FROM orders WHERE order_id = NEW.order_id;
  IF o.version <> NEW.version THEN
    RETURN NULL; -- changed again in this transaction: the last change is checked
  END IF;
  IF o.state = 3 THEN
    IF o.payable_minor > 0 AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.order_id AND p.captured_minor = o.payable_minor) THEN
      RAISE EXCEPTION 'CONFIRMED needs the money' USING ERRCODE = 'CF001';
    END IF;
    IF EXISTS (SELECT 1 FROM stock_reservations r WHERE r.order_id = o.order_id AND r.held > 0)
       OR EXISTS (SELECT 1 FROM ledger_transfers t WHERE t.order_id = o.order_id AND t.kind = 'redeem' AND t.state = 'pending') THEN
      RAISE EXCEPTION 'CONFIRMED needs stock and points committed' USING ERRCODE = 'CF001';
    END IF;
  ELSE
    IF EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.order_id AND p.state NOT IN ('failed', 'voided') AND (p.state <> 'captured' OR p.captured_minor <> p.refunded_minor)) THEN
      RAISE EXCEPTION 'CANCELLED and EXPIRED need all money returned' USING ERRCODE = 'CF001';
    END IF;
    IF EXISTS (SELECT 1 FROM stock_reservations r WHERE r.order_id = o.order_id AND r.held + r.committed > 0)
       OR EXISTS (SELECT 1 FROM ledger_transfers t WHERE t.order_id = o.order_id AND t.kind = 'redeem' AND t.state = 'pending') THEN
      RAISE EXCEPTION 'CANCELLED and EXPIRED need stock and points returned' USING ERRCODE = 'CF001';
    END IF;
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER order_promise AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.state IN (3, 9, 10)) EXECUTE FUNCTION order_promise();

-- +goose Down
DROP TRIGGER order_promise ON orders;
DROP TABLE payment_attempts;
DROP TABLE refunds;
DROP TABLE payments;
DROP TABLE payment_transitions;
DROP FUNCTION order_promise;
DROP FUNCTION payment_attempt_guard;
DROP FUNCTION refund_guard;
DROP FUNCTION payment_guard;
