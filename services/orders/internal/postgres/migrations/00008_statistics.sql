-- Statistics: append-only changes, folded into hours in the background. A
-- reader adds both, so nothing is ever missing or counted twice.

-- +goose Up
CREATE TABLE stats_deltas (
  delta_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hour           timestamptz NOT NULL, -- in which the orders were created
  state          smallint    NOT NULL,
  currency       char(3)     NOT NULL,
  orders         bigint      NOT NULL,
  units          bigint      NOT NULL,
  gross_minor    bigint      NOT NULL,
  refunded_minor bigint      NOT NULL
);
CREATE TABLE stats_hours (
  hour           timestamptz NOT NULL,
  state          smallint    NOT NULL,
  currency       char(3)     NOT NULL,
  orders         bigint      NOT NULL,
  units          bigint      NOT NULL,
  gross_minor    bigint      NOT NULL,
  refunded_minor bigint      NOT NULL,
  PRIMARY KEY (hour, state, currency)
);

-- +goose Down
DROP TABLE stats_hours;
DROP TABLE stats_deltas;
