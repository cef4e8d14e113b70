-- What happened to orders: the history, and what Kafka is still to be told.

-- +goose Up
CREATE TABLE order_events (
  order_id      uuid     NOT NULL REFERENCES orders,
  order_version bigint   NOT NULL,
  event_id      uuid     NOT NULL,
  type          smallint NOT NULL,
  from_state    smallint REFERENCES order_states, -- NULL: the order was created
  to_state      smallint NOT NULL REFERENCES order_states,
  action        text     NOT NULL,
  actor         text     NOT NULL,
  note          text     NOT NULL DEFAULT '',
  create_time   timestamptz NOT NULL,
  PRIMARY KEY (order_id, order_version)
);

-- Inserted after the order row is locked, so that seq grows with the version of each order.
CREATE TABLE outbox_events (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  part     smallint NOT NULL, -- of the order, 0 to 15
  order_id uuid     NOT NULL,
  order_version bigint NOT NULL,
  UNIQUE (order_id, order_version)
);
CREATE INDEX outbox_events_by_part ON outbox_events (part, seq);

-- Saves double work of relays; nothing rests on it.
CREATE TABLE outbox_leases (
  part   smallint PRIMARY KEY,
  holder text        NOT NULL DEFAULT '',
  until  timestamptz NOT NULL DEFAULT '-infinity',
  epoch  bigint      NOT NULL DEFAULT 0
);
INSERT INTO outbox_leases (part) SELECT generate_series(0, 15);

-- +goose Down
DROP TABLE outbox_leases;
DROP TABLE outbox_events;
DROP TABLE order_events;
