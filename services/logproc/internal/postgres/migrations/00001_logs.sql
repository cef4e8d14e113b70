-- +goose Up

-- One row per record. Its identity is (topic_id, kafka_partition,
-- kafka_leader_epoch, kafka_offset). No unique index: the ledger is the
-- de-duplication, and an index would cost a third of the speed.
CREATE TABLE logs (
    day                date,        -- of the event, see record.Day; NULL: unknown
    kafka_topic        text        NOT NULL,
    kafka_partition    int         NOT NULL,
    kafka_offset       bigint      NOT NULL,
    kafka_leader_epoch int         NOT NULL,
    topic_id           uuid        NOT NULL,
    log_time           timestamptz NOT NULL, -- of the event if believable, else of the append, see record.Time
    kafka_timestamp    timestamptz,
    event_timestamp    timestamptz, -- as the record says
    observed_timestamp timestamptz NOT NULL,
    severity_number    smallint    NOT NULL,
    severity_text      text,
    body               text,        -- NULL: a tombstone
    service            text,
    trace_id           bytea,
    span_id            bytea,
    attributes         text,        -- a JSON object
    raw                bytea,       -- the input, when the columns cannot give it back
    parse_error        text
) PARTITION BY RANGE (day);

-- Rows of a day that has no partition: older than the retention, further ahead
-- than the partitions are made, or without any time.
CREATE TABLE logs_default PARTITION OF logs DEFAULT;

CREATE INDEX ON logs USING brin (log_time) WITH (pages_per_range = 64, autosummarize = on);
CREATE INDEX ON logs USING brin (observed_timestamp) WITH (pages_per_range = 64, autosummarize = on);

-- logs_prepare makes the partition of a day if it is due: the serving role may
-- insert rows, not change tables. Returns whether the partition exists now.
-- ATTACH, not CREATE .. PARTITION OF, which would lock logs itself. A COPY into
-- a partition of its own is not waited for; one into logs_default is, and waits,
-- because the rows of that day that it holds from before it was due are moved.
-- Nobody waits behind this for longer than lock_timeout and the move.
-- +goose StatementBegin
CREATE FUNCTION logs_prepare(p_day date, p_retention_days int) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    name text := 'logs_' || to_char(p_day, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN true;
    END IF;
    IF p_day < current_date - p_retention_days OR p_day > current_date + 2 THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('logs_prepare'));
    IF to_regclass(name) IS NOT NULL THEN
        RETURN true;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE logs INCLUDING ALL EXCLUDING INDEXES)', name);
    -- Parent before child, as a COPY locks them; and before the move, or a row
    -- that comes in between would make ATTACH fail.
    LOCK TABLE ONLY logs IN SHARE UPDATE EXCLUSIVE MODE;
    LOCK TABLE logs_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH moved AS (DELETE FROM logs_default WHERE day = %L RETURNING *) INSERT INTO %I SELECT * FROM moved', p_day, name);
    EXECUTE format('ALTER TABLE logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, p_day, p_day + 1);
    RETURN true;
EXCEPTION
    WHEN duplicate_table THEN
        -- Another session was faster, and this one had not heard of it.
        RETURN true;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION logs_prepare(date, int) FROM PUBLIC;

-- logs_retain drops the partitions below the horizon and returns their number.
-- A DROP locks logs itself, so every COPY waits for it, and it for every COPY
-- and search under way: for lock_timeout at most.
-- +goose StatementBegin
CREATE FUNCTION logs_retain(p_retention_days int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    dropped int := 0;
    part record;
BEGIN
    IF p_retention_days < 1 THEN
        RAISE EXCEPTION 'retention must be at least a day';
    END IF;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'logs'::regclass AND c.relname ~ '^logs_[0-9]{8}$'
          AND c.relname < 'logs_' || to_char(current_date - p_retention_days, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE %I', part.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION logs_retain(int) FROM PUBLIC;

-- logs_expire deletes rows of logs_default below the horizon, at most p_limit,
-- and returns their number. A day that never comes ends with its reading.
-- +goose StatementBegin
CREATE FUNCTION logs_expire(p_retention_days int, p_limit int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM logs_default WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM logs_default
        WHERE day < current_date - p_retention_days
           OR observed_timestamp < now() - make_interval(days => p_retention_days)
        LIMIT p_limit));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION logs_expire(int, int) FROM PUBLIC;

-- +goose Down
DROP FUNCTION logs_expire(int, int);
DROP FUNCTION logs_retain(int);
DROP FUNCTION logs_prepare(date, int);
DROP TABLE logs;
