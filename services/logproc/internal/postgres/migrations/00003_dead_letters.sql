-- +goose Up

-- Records that cannot be logs. This table is the truth; the dead-letter topic
-- is fed from it, at least once.
CREATE TABLE dead_letters (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kafka_topic        text        NOT NULL,
    kafka_partition    int         NOT NULL,
    kafka_offset       bigint      NOT NULL,
    kafka_leader_epoch int         NOT NULL,
    topic_id           uuid        NOT NULL,
    kafka_timestamp    timestamptz,
    reason             text        NOT NULL CHECK (reason IN ('too_large', 'refused', 'crashed')),
    detail             text        NOT NULL,
    raw                bytea,              -- the first 64 KiB of one that is too large
    size               bigint      NOT NULL,
    sha256             bytea       NOT NULL, -- of the whole value
    created_at         timestamptz NOT NULL DEFAULT now(),
    published_at       timestamptz,        -- when the dead-letter topic got it
    UNIQUE (topic_id, kafka_partition, kafka_leader_epoch, kafka_offset)
);
CREATE INDEX ON dead_letters (id) WHERE published_at IS NULL;

-- +goose Down
DROP TABLE dead_letters;
