-- $1 issuer, $2 jti, $3 sid, $4 sub, $5 kid, $6 epoch. A claim that the token
-- does not have is empty, and no rule but that of a whole issuer is about an
-- empty id. clock_timestamp, not now: the call may run in a transaction.
SELECT pg_is_in_recovery(), EXISTS (
    SELECT FROM (VALUES (1::smallint, $2::text), (2, $3), (3, $4), (4, $4), (5, $5), (6, '')) AS t (kind, id)
    JOIN curfew_revocations r ON r.kind = t.kind AND r.issuer = $1 AND r.id = t.id
    WHERE CASE r.kind
        WHEN 3 THEN r.value > $6::bigint
        WHEN 4 THEN r.value > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        ELSE true
    END
)
