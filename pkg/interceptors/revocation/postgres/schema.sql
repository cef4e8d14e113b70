CREATE TABLE IF NOT EXISTS curfew_revocations (
    kind       smallint    NOT NULL, -- revocation.Kind
    issuer     text        NOT NULL,
    id         text        NOT NULL, -- empty for a whole issuer
    value      bigint      NOT NULL, -- epoch; end of a block in microseconds since 1970
    keep_until timestamptz NOT NULL,
    PRIMARY KEY (kind, issuer, id)
);

CREATE INDEX IF NOT EXISTS curfew_revocations_keep_until ON curfew_revocations (keep_until);
