-- RefreshTokens: one statement, autocommit, READ COMMITTED, one round trip. The
-- caller has verified the token's HMAC before.
-- $1 sid  $2 presented generation  $3 keyed hash of retry_key or NULL
-- $4 fresh jti  $5 primary refresh key id  $6 window  $7 idle limit
-- $8 life of a rule  $9 minimum age of a generation (= window)  $10 issuer
-- The verdict stands in SET (not in FROM, not in a CTE), so that READ COMMITTED
-- computes it again from the newest row version.
-- A replay that comes later than the window, which only a retry key may, hands
-- the generation out with a new access token: the one that was made with it may
-- have expired. rotated_at stays, so that the window of the parent does not open
-- again.
WITH r AS (
  UPDATE sessions s
  SET (gen, token_kid, retry_key, jti, rotated_at, issued_at, handed_at, revoked_at, reason) = (
    SELECT
      CASE v WHEN 'rotate' THEN s.gen + 1 ELSE s.gen END,
      CASE v WHEN 'rotate' THEN $5::bigint ELSE s.token_kid END,
      CASE v WHEN 'rotate' THEN $3::bytea ELSE s.retry_key END,
      CASE WHEN v = 'rotate' OR late THEN $4::uuid ELSE s.jti END,
      CASE v WHEN 'rotate' THEN now()     ELSE s.rotated_at END,
      CASE WHEN late THEN now() WHEN v = 'rotate' THEN NULL ELSE s.issued_at END,
      CASE WHEN v IN ('rotate', 'replay') THEN greatest(s.handed_at, now()) ELSE s.handed_at END,
      CASE v WHEN 'reuse'  THEN now() END,
      CASE v WHEN 'reuse'  THEN 1 END
    FROM (SELECT v, v = 'replay' AND now() - greatest(s.rotated_at, s.issued_at) >= $6::interval AS late
          FROM refresh_verdict($2::int, s.gen, now(), s.rotated_at, s.handed_at, s.native, s.retry_key, $3::bytea,
                               $6::interval, $9::interval) AS v) x)
  FROM users u
  WHERE s.id = $1::uuid AND u.id = s.user_id AND u.active
    AND s.revoked_at IS NULL AND s.expires_at > now() AND s.rotated_at > now() - $7::interval
    AND $2::int <= s.gen
    -- A native session has no window: without a key a lost answer would be lost
    -- for good, and the next try would look like theft.
    AND NOT (s.native AND $3::bytea IS NULL AND $2::int = s.gen)
  RETURNING s.id, s.user_id, s.gen, s.token_kid, s.jti, s.rotated_at, s.issued_at, s.auth_time, s.revoked_at, u.epoch, u.roles
), h AS ( -- theft only: rule and head in the same statement, the lock of the head last
  UPDATE revocation_head SET seq = seq + 1 WHERE EXISTS (SELECT 1 FROM r WHERE r.revoked_at IS NOT NULL) RETURNING seq
), i AS (
  INSERT INTO revocation_rules (seq, part, kind, issuer, subject, keep_until)
  SELECT h.seq, 1, 'session', $10::text, r.id::text, now() + $8::interval FROM h, r
)
SELECT r.id, r.user_id, r.gen, r.token_kid, r.jti, greatest(r.rotated_at, r.issued_at) AS issued_at, r.auth_time, r.epoch, r.roles,
       coalesce($2::int > x.gen, false) AS ahead,
       coalesce(r.rotated_at <> now(), false) AS again,
       CASE WHEN r.revoked_at IS NOT NULL     THEN 'REFRESH_REUSED'
            WHEN r.id IS NOT NULL             THEN ''
            WHEN x.id IS NULL OR $2::int > x.gen THEN 'REFRESH_UNKNOWN'
            WHEN x.expires_at <= now() OR x.rotated_at <= now() - $7::interval THEN 'REFRESH_EXPIRED'
            WHEN x.native AND $3::bytea IS NULL AND $2::int = x.gen AND x.revoked_at IS NULL THEN 'RETRY_KEY_REQUIRED'
            ELSE 'SESSION_REVOKED' END AS refused
FROM (SELECT $1::uuid AS sid) q LEFT JOIN r ON true LEFT JOIN h ON true LEFT JOIN sessions x ON x.id = q.sid
