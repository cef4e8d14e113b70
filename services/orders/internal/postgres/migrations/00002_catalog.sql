-- What can be ordered, and how much of it there is.

-- +goose Up
-- COLLATE "C": the lock order of stock rows is that of bytes, in SQL and in Go.
CREATE TABLE products (
  sku         text COLLATE "C" PRIMARY KEY,
  title       text        NOT NULL,
  currency    char(3)     NOT NULL,
  unit_minor  bigint      NOT NULL CHECK (unit_minor >= 0),
  sellable    boolean     NOT NULL,
  version     bigint      NOT NULL DEFAULT 1,
  create_time timestamptz NOT NULL DEFAULT now(),
  update_time timestamptz NOT NULL DEFAULT now()
);

-- Apart from products: these rows are hot, and reading the catalog must not
-- meet their locks.
CREATE TABLE stock_levels (
  sku      text COLLATE "C" NOT NULL,
  bucket   smallint NOT NULL DEFAULT 0,
  on_hand  int      NOT NULL CHECK (on_hand >= 0),
  reserved int      NOT NULL DEFAULT 0,
  PRIMARY KEY (sku, bucket),
  CONSTRAINT no_oversell CHECK (reserved BETWEEN 0 AND on_hand)
) WITH (fillfactor = 20);

-- +goose Down
DROP TABLE stock_levels;
DROP TABLE products;
