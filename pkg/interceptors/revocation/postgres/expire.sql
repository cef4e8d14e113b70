DELETE FROM curfew_revocations
WHERE (kind, issuer, id) IN (
    SELECT kind, issuer, id FROM curfew_revocations
    WHERE keep_until < clock_timestamp()
    ORDER BY keep_until
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
