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
  -- Rules of one transaction share a position.
  seq        bigint NOT NULL,
  part       integer NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('token', 'session', 'subject_epoch', 'subject_block', 'key', 'issuer')),
  issuer     text NOT NULL,
  -- jti, sid, sub or kid; empty for a whole issuer
  subject    text NOT NULL,
  epoch      bigint,
  until      timestamptz,
  made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  keep_until timestamptz NOT NULL,
  PRIMARY KEY (seq, part),
  CHECK ((kind = 'subject_epoch') = (epoch IS NOT NULL)),
  CHECK ((kind = 'subject_block') = (until IS NOT NULL))
);
CREATE INDEX revocation_rules_subject ON revocation_rules (kind, subject);
CREATE INDEX revocation_rules_expiry ON revocation_rules (keep_until);

-- One row per engine of the feed: up to which position all of its watchers
-- refuse, and until when it may have granted leases.
CREATE TABLE revocation_engines (
  replica     text NOT NULL,
  incarnation text NOT NULL,
  -- Of the feed, as the engine knows it: a watermark says nothing about another.
  generation  text NOT NULL,
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
