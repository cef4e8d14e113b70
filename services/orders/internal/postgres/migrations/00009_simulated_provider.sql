-- The memory of the simulated payment provider: a foreign system that happens
-- to live in the same database. Nothing of the shop reads or writes it.

-- +goose Up
CREATE TABLE simulated_operations (
  key          uuid PRIMARY KEY, -- idempotency key of the caller
  payment_id   uuid   NOT NULL,
  operation    text   NOT NULL,
  amount_minor bigint NOT NULL,
  currency     char(3) NOT NULL,
  accepted     boolean NOT NULL,
  create_time  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX simulated_operations_by_payment ON simulated_operations (payment_id);

-- +goose Down
DROP TABLE simulated_operations;
