-- +goose Up

-- Which topics a group has begun to read, so that its start position holds for
-- the partitions of that moment only.
CREATE TABLE pipelines (
    group_id   text        NOT NULL,
    topic      text        NOT NULL,
    start_from text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, topic)
);

-- The ledger: everything below next_off is in logs or dead_letters, or is a
-- recorded event.
CREATE TABLE ledger (
    group_id      text        NOT NULL,
    topic         text        NOT NULL,
    partition     int         NOT NULL,
    next_off      bigint      NOT NULL DEFAULT 0,
    epoch         bigint      NOT NULL DEFAULT 0,
    token         uuid,                          -- of the owner
    topic_id      uuid,                          -- NULL before the first read
    leader_epoch  int         NOT NULL DEFAULT -1, -- of the last stored record
    search_off    bigint      NOT NULL DEFAULT 0,
    search_epoch  bigint      NOT NULL DEFAULT 0,
    tries         int         NOT NULL DEFAULT 0, -- takes since the last progress
    isolate_to    bigint      NOT NULL DEFAULT 0, -- one record at a time below
    evidence      int         NOT NULL DEFAULT 0, -- deaths of the record at next_off
    last_words    text        NOT NULL DEFAULT '', -- of the process that died last of it
    suspect_off   bigint,                        -- next_off when an isolation process began with a record
    suspect_token uuid,                          -- of that process
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, topic, partition)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- Topic ids that a row has left; it never returns to one, however stale the
-- metadata of a broker is.
CREATE TABLE topic_ids (
    group_id  text        NOT NULL,
    topic     text        NOT NULL,
    partition int         NOT NULL,
    topic_id  uuid        NOT NULL,
    left_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, topic, partition, topic_id)
);

-- What happened to Kafka's log beside being read: gaps, cuts, topics made again.
CREATE TABLE ledger_events (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id         text        NOT NULL,
    topic            text        NOT NULL,
    partition        int         NOT NULL,
    kind             text        NOT NULL,
    from_off         bigint      NOT NULL, -- the row's next_off before
    to_off           bigint      NOT NULL, -- and after
    old_topic_id     uuid,
    new_topic_id     uuid,
    old_leader_epoch int         NOT NULL,
    new_leader_epoch int         NOT NULL,
    possible_loss    boolean     NOT NULL, -- below to_off records may be lost unseen
    at               timestamptz NOT NULL DEFAULT now()
);

-- One row per partition of a committed transaction. Reports and audits are sums
-- over it.
CREATE TABLE batches (
    group_id     text        NOT NULL,
    topic        text        NOT NULL,
    partition    int         NOT NULL,
    topic_id     uuid        NOT NULL,
    leader_epoch int         NOT NULL,
    from_off     bigint      NOT NULL,
    to_off       bigint      NOT NULL,
    read         bigint      NOT NULL,
    stored       bigint      NOT NULL,
    dead         bigint      NOT NULL,
    sampled      bigint      NOT NULL,
    epoch        bigint      NOT NULL,
    token        uuid        NOT NULL,
    worker       text        NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    CHECK (read = stored + dead + sampled),
    CHECK (to_off > from_off)
);
CREATE INDEX ON batches (token);
CREATE INDEX ON batches USING brin (at);

-- ledger_advance is the last statement of a batch, sent together with COMMIT:
-- it raises unless the row is exactly where its owner believes it to be, so a
-- stopped owner neither commits nor holds the row's lock.
-- +goose StatementBegin
CREATE FUNCTION ledger_advance(p_group text, p_topic text, p_partition int, p_epoch bigint, p_token uuid,
    p_topic_id uuid, p_from bigint, p_to bigint, p_leader_epoch int, p_isolated boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ledger SET next_off = p_to, leader_epoch = p_leader_epoch, tries = 0, evidence = 0,
        suspect_off = NULL, suspect_token = NULL, last_words = '',
        isolate_to = CASE WHEN p_isolated AND isolate_to > p_to THEN isolate_to ELSE 0 END,
        updated_at = clock_timestamp()
    WHERE group_id = p_group AND topic = p_topic AND partition = p_partition
      AND epoch = p_epoch AND token = p_token AND next_off = p_from AND topic_id = p_topic_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition has another owner' USING ERRCODE = 'LP001', DETAIL = p_topic || '/' || p_partition;
    END IF;
END $$;
-- +goose StatementEnd

-- ledger_correct moves the row when Kafka's log is not the one that was read,
-- under the same conditions as a batch, and records why.
-- +goose StatementBegin
CREATE FUNCTION ledger_correct(p_group text, p_topic text, p_partition int, p_epoch bigint, p_token uuid,
    p_old_id uuid, p_from bigint, p_kind text, p_to bigint, p_new_id uuid, p_leader_epoch int, p_possible_loss boolean)
    RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    old ledger;
BEGIN
    SELECT * INTO old FROM ledger
    WHERE group_id = p_group AND topic = p_topic AND partition = p_partition
      AND epoch = p_epoch AND token = p_token AND next_off = p_from AND topic_id IS NOT DISTINCT FROM p_old_id
    FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM topic_ids t
        WHERE t.group_id = p_group AND t.topic = p_topic AND t.partition = p_partition AND t.topic_id = p_new_id) THEN
        RAISE EXCEPTION 'partition has another owner' USING ERRCODE = 'LP001', DETAIL = p_topic || '/' || p_partition;
    END IF;
    UPDATE ledger SET next_off = p_to, topic_id = p_new_id, leader_epoch = p_leader_epoch,
        search_off = CASE p_kind WHEN 'recreated' THEN 0 ELSE least(search_off, p_to) END,
        search_epoch = search_epoch + CASE WHEN p_kind = 'recreated' OR p_to < p_from THEN 1 ELSE 0 END,
        evidence = CASE WHEN p_to = p_from THEN evidence ELSE 0 END,
        isolate_to = CASE WHEN p_kind = 'recreated' THEN 0 ELSE isolate_to END,
        suspect_off = NULL, suspect_token = NULL, updated_at = clock_timestamp()
    WHERE group_id = p_group AND topic = p_topic AND partition = p_partition;
    IF p_old_id IS NOT NULL AND p_old_id <> p_new_id THEN
        INSERT INTO topic_ids (group_id, topic, partition, topic_id) VALUES (p_group, p_topic, p_partition, p_old_id)
        ON CONFLICT DO NOTHING;
    END IF;
    IF p_kind <> 'adopted' THEN
        INSERT INTO ledger_events (group_id, topic, partition, kind, from_off, to_off, old_topic_id, new_topic_id,
            old_leader_epoch, new_leader_epoch, possible_loss)
        VALUES (p_group, p_topic, p_partition, p_kind, p_from, p_to, p_old_id, p_new_id, old.leader_epoch, p_leader_epoch,
            p_possible_loss);
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ledger_correct;
DROP FUNCTION ledger_advance;
DROP TABLE batches;
DROP TABLE ledger_events;
DROP TABLE topic_ids;
DROP TABLE ledger;
DROP TABLE pipelines;
