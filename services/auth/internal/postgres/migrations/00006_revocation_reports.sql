-- +goose Up
-- What each engine of the feed sees, for the lists of the others: people look at
-- it, and nothing is decided by it.
CREATE TABLE revocation_reports (
  replica     text NOT NULL,
  incarnation text NOT NULL,
  at          timestamptz NOT NULL,
  body        jsonb NOT NULL,
  PRIMARY KEY (replica, incarnation)
);

-- +goose Down
DROP TABLE revocation_reports;
