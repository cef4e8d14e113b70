-- +goose Up
-- A key is shown before it signs, signs, and is shown until the last of its
-- tokens is over. Replicas of the release before this one verify with all rows
-- and sign with is_primary; while one of them runs, no key becomes primary.
ALTER TABLE signing_keys
  -- Every replica was seen to verify with it.
  ADD COLUMN known_at   timestamptz,
  ADD COLUMN primary_at timestamptz,
  -- It signs nothing any more: replaced, or revoked.
  ADD COLUMN retired_at timestamptz,
  ADD COLUMN revoked_at timestamptz;
UPDATE signing_keys SET primary_at = created_at WHERE is_primary;
UPDATE signing_keys SET retired_at = now() WHERE NOT is_primary;
CREATE UNIQUE INDEX signing_keys_one_standby ON signing_keys ((true)) WHERE NOT is_primary AND retired_at IS NULL;

-- One row per replica: which keys it verifies with. A replica relies on what
-- it has read for a little less long than its row counts.
CREATE TABLE signing_key_readers (
  replica     text NOT NULL,
  incarnation text NOT NULL,
  known       text[] NOT NULL,
  seen_at     timestamptz NOT NULL,
  PRIMARY KEY (replica, incarnation)
);

-- +goose Down
DROP TABLE signing_key_readers;
DROP INDEX signing_keys_one_standby;
DELETE FROM signing_keys WHERE revoked_at IS NOT NULL;
ALTER TABLE signing_keys DROP COLUMN known_at, DROP COLUMN primary_at, DROP COLUMN retired_at, DROP COLUMN revoked_at;
