-- +goose Up
CREATE TABLE users (
  id           uuid PRIMARY KEY,
  email        text NOT NULL UNIQUE,
  active       boolean NOT NULL DEFAULT true,
  -- In every token of the user; all tokens below the newest epoch are revoked.
  epoch        bigint NOT NULL DEFAULT 1,
  -- Changes with the password. A verified hash counts only together with the
  -- version that was read beside it.
  cred_version bigint NOT NULL DEFAULT 1,
  roles        text[] NOT NULL DEFAULT '{}',
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE credentials (
  user_id       uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  password_hash text NOT NULL
);

-- One row per session and none per generation: what is presented is judged by
-- its number, and nothing that could be replayed is stored.
CREATE TABLE sessions (
  id         uuid PRIMARY KEY,
  user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  device     text NOT NULL DEFAULT '',
  native     boolean NOT NULL DEFAULT false,
  gen        integer NOT NULL DEFAULT 1,
  -- Key that authenticates the refresh token of the current generation: every
  -- replica makes the same bytes, whichever key is its primary.
  token_kid  bigint NOT NULL,
  -- Keyed hash of the retry_key of the request that made the current generation.
  retry_key  bytea,
  -- jti and iat of the access token of the current generation.
  jti        uuid NOT NULL,
  rotated_at timestamptz NOT NULL DEFAULT now(),
  -- The current generation was made, or handed out again to a holder of its parent.
  handed_at  timestamptz NOT NULL DEFAULT now(),
  auth_time  timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  -- 1 reuse, 2 logout or revoked, 3 evicted, 4 password, 5 deactivated
  reason     smallint
) WITH (fillfactor = 70); -- rotation changes no indexed column: HOT updates
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- 'same' hand out the current generation again, 'rotate' make the next one,
-- 'replay' the parent inside its window or with its retry key, 'reuse' theft.
-- +goose StatementBegin
CREATE FUNCTION refresh_verdict(presented integer, gen integer, at timestamptz, rotated timestamptz, handed timestamptz,
    native boolean, made_by bytea, key bytea, win interval, min_age interval) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN presented = gen     AND at - handed < min_age THEN 'same'
    WHEN presented = gen                               THEN 'rotate'
    WHEN presented = gen - 1 AND made_by = key         THEN 'replay'
    WHEN presented = gen - 1 AND NOT native AND at - rotated < win THEN 'replay'
    ELSE 'reuse' END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION refresh_verdict;
DROP TABLE sessions;
DROP TABLE credentials;
DROP TABLE users;
