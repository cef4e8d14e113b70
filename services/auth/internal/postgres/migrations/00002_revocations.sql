-- +goose Up
-- The position of the newest rule. Raised last in every revoking transaction,
-- so that numbers follow commits; a sequence would not.
CREATE TABLE revocation_head (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq        bigint NOT NULL DEFAULT 0,
  -- A new value tells watchers that commits were lost (restore, failover).
  generation uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO revocation_head DEFAULT VALUES;

CREATE TABLE revocation_rules (
  seq        bigint PRIMARY KEY,
  -- 'token', 'session', 'epoch' or 'key'
  kind       text NOT NULL CHECK (kind IN ('token', 'session', 'epoch', 'key')),
  -- jti, sid, sub or kid
  subject    text NOT NULL,
  epoch      bigint,
  made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  keep_until timestamptz NOT NULL,
  CHECK ((kind = 'epoch') = (epoch IS NOT NULL))
);
CREATE INDEX revocation_rules_subject ON revocation_rules (kind, subject);
CREATE INDEX revocation_rules_expiry ON revocation_rules (keep_until);

-- One row per engine of the feed: up to which position all of its watchers
-- refuse, and until when it may have granted leases.
CREATE TABLE revocation_engines (
  replica     text NOT NULL,
  incarnation text NOT NULL,
  watermark   bigint NOT NULL,
  watchers    integer NOT NULL,
  lapsed      bigint NOT NULL,
  renewals    bigint NOT NULL,
  -- The longest row lease that it ever asked for.
  length      interval NOT NULL,
  lease_until timestamptz NOT NULL,
  PRIMARY KEY (replica, incarnation)
);

-- +goose Down
DROP TABLE revocation_engines;
DROP TABLE revocation_rules;
DROP TABLE revocation_head;
