-- The highest value and the latest end win, in whatever order and however
-- often a rule comes. The commit waits for the disk where the server is set not
-- to: nobody must rely on what a crash takes back.
INSERT INTO curfew_revocations AS r (kind, issuer, id, value, keep_until)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
ON CONFLICT (kind, issuer, id) DO UPDATE
SET value = greatest(r.value, excluded.value), keep_until = greatest(r.keep_until, excluded.keep_until)
RETURNING CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
