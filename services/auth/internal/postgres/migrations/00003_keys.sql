-- +goose Up
CREATE TABLE signing_keys (
  kid        text PRIMARY KEY,
  public_key bytea NOT NULL,
  -- Ed25519 seed, encrypted with the keyset; the kid is the associated data.
  sealed     bytea NOT NULL,
  is_primary boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX signing_keys_one_primary ON signing_keys (is_primary) WHERE is_primary;

-- Assertions of services that were used; each counts once.
CREATE TABLE used_assertions (
  service    text NOT NULL,
  jti        text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (service, jti)
);
CREATE INDEX used_assertions_expiry ON used_assertions (expires_at);

-- +goose Down
DROP TABLE used_assertions;
DROP TABLE signing_keys;
