-- +goose Up
-- Issuers whose tokens are not exchanged any more, and those that were accepted
-- again. One that has no row was never revoked.
CREATE TABLE external_issuers (
  issuer     text PRIMARY KEY,
  revoked_at timestamptz
);

-- +goose Down
DROP TABLE external_issuers;
