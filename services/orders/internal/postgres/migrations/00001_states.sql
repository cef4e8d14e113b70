-- The state machine of an order as data. order_guard() looks up every change
-- here, internal/order holds the same table for available_actions, and a test
-- compares the two.

-- +goose Up
CREATE TABLE order_states (
  state    smallint PRIMARY KEY,
  code     text     NOT NULL UNIQUE,
  editable boolean  NOT NULL,
  terminal boolean  NOT NULL
);
INSERT INTO order_states (state, code, editable, terminal) VALUES
  (1,  'PENDING_PAYMENT', true,  false),
  (2,  'PAYING',          false, false),
  (3,  'CONFIRMED',       false, false),
  (8,  'CANCELLING',      false, false),
  (9,  'CANCELLED',       false, true),
  (10, 'EXPIRED',         false, true);

CREATE TABLE order_transitions (
  from_state smallint NOT NULL REFERENCES order_states,
  action     text     NOT NULL,
  actor_kind text     NOT NULL CHECK (actor_kind IN ('customer', 'staff', 'system')),
  to_state   smallint NOT NULL REFERENCES order_states,
  PRIMARY KEY (from_state, action, actor_kind, to_state)
);
INSERT INTO order_transitions (from_state, action, actor_kind, to_state) VALUES
  (1, 'UpdateOrder',       'customer', 1),
  (1, 'PayOrder',          'customer', 2),
  (1, 'PayOrder.free',     'customer', 3),
  (1, 'CancelOrder',       'customer', 9),
  (1, 'CancelOrder',       'staff',    9),
  (1, 'payment.expired',   'system',   10),
  (2, 'payment.succeeded', 'system',   3),
  (2, 'payment.declined',  'system',   1),
  (2, 'CancelOrder',       'staff',    8),
  (3, 'CancelOrder',       'customer', 8),
  (3, 'CancelOrder',       'staff',    8),
  (8, 'refund.succeeded',  'system',   8),
  (8, 'refund.failed',     'system',   8),
  (8, 'money.returned',    'system',   9);

-- +goose Down
DROP TABLE order_transitions;
DROP TABLE order_states;
