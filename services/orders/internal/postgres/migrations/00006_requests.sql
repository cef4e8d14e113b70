-- Requests that were answered (pkg/server/idempotency).

-- +goose Up
CREATE TABLE idempotency_keys (
  principal    text  NOT NULL,
  method       text  NOT NULL,
  request_id   uuid  NOT NULL,
  request_hash bytea NOT NULL,
  response     bytea,
  create_time  timestamptz NOT NULL DEFAULT now(),
  answer_time  timestamptz,
  PRIMARY KEY (principal, method, request_id),
  CHECK ((response IS NULL) = (answer_time IS NULL))
);
-- The clean-up goes by the time of the answer: a row without one is still needed.
CREATE INDEX idempotency_keys_answered ON idempotency_keys (answer_time) WHERE answer_time IS NOT NULL;

-- +goose Down
DROP TABLE idempotency_keys;
