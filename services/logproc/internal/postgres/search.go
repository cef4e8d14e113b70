package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
)

// Reader answers questions about what is stored. Safe for concurrent use.
type Reader struct {
	Pool  *pgxpool.Pool
	Group string
}

// What an answer shows of a row. Lengths are known without reading the values,
// which may be of many megabytes; only what is shown is read.
const (
	logColumns = `kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch, topic_id,
    log_time, event_timestamp, observed_timestamp, severity_number, trace_id, span_id`
	cutColumns  = "severity_text, body, service, attributes, raw, parse_error"
	sizeColumns = `coalesce(octet_length(severity_text), 0) > 1024 OR coalesce(octet_length(service), 0) > 1024
        OR coalesce(octet_length(parse_error), 0) > 1024 OR coalesce(octet_length(attributes), 0) > 262144
        OR coalesce(octet_length(raw), 0) > 262144 AS truncated,
    256 + least(coalesce(octet_length(body), 0), 1048576) + least(coalesce(octet_length(raw), 0), 262144)
        + CASE WHEN octet_length(attributes) <= 262144 THEN octet_length(attributes) ELSE 0 END
        + least(coalesce(octet_length(severity_text), 0), 4096) + least(coalesce(octet_length(service), 0), 4096)
        + least(coalesce(octet_length(parse_error), 0), 4096) AS bytes`
	shownColumns = logColumns + `,
    left(severity_text, 1024) AS severity_text, left(body, 262144) AS body, left(service, 1024) AS service,
    CASE WHEN octet_length(attributes) <= 262144 THEN attributes END AS attributes, substring(raw FOR 262144) AS raw,
    left(parse_error, 1024) AS parse_error,
    CASE WHEN octet_length(body) > 262144 THEN truncated OR char_length(body) > 262144 ELSE truncated END AS truncated,
    bytes, matching`
)

// The first condition lets the planner leave partitions out. Days are UTC, and a
// date of the session may be a day off; rows without a day are always read.
// The page ends with the row that takes it beyond $14 bytes.
const searchSQL = `
WITH page AS (
    SELECT ` + logColumns + ", " + cutColumns + `
    FROM logs
    WHERE (day BETWEEN $1::timestamptz::date - 1 AND $2::timestamptz::date + 1 OR day IS NULL)
      AND log_time >= $1
      AND log_time < $2
      AND ` + filterSQL + `
      AND ($8::timestamptz IS NULL OR
           (log_time, kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch)
           < ($8, $9::text, $10::int, $11::bigint, $12::int))
    ORDER BY log_time DESC, kafka_topic DESC, kafka_partition DESC, kafka_offset DESC, kafka_leader_epoch DESC
    LIMIT $13
), sized AS (
    SELECT *, ` + sizeColumns + ` FROM page
), summed AS (
    SELECT *, count(*) OVER () AS matching, sum(bytes) OVER (
        ORDER BY log_time DESC, kafka_topic DESC, kafka_partition DESC, kafka_offset DESC, kafka_leader_epoch DESC
        ROWS UNBOUNDED PRECEDING) AS upto
    FROM sized
)
SELECT ` + shownColumns + `
FROM summed
WHERE upto - bytes < $14
ORDER BY log_time DESC, kafka_topic DESC, kafka_partition DESC, kafka_offset DESC, kafka_leader_epoch DESC`

// filterSQL uses the parameters 3 to 7.
const filterSQL = `severity_number >= $3
  AND ($4 = '' OR service = $4)
  AND ($5 = '' OR strpos(lower(body), lower($5)) > 0)
  AND ($6::bytea IS NULL OR trace_id = $6)
  AND ($7 = '' OR kafka_topic = $7)`

type logRow struct {
	KafkaTopic        string
	KafkaPartition    int32
	KafkaOffset       int64
	KafkaLeaderEpoch  int32
	TopicID           uuid.UUID
	LogTime           time.Time
	EventTimestamp    *time.Time
	ObservedTimestamp time.Time
	SeverityNumber    int16
	SeverityText      *string
	Body              *string
	Service           *string
	TraceID           []byte
	SpanID            []byte
	Attributes        *string
	Raw               []byte
	ParseError        *string
	Truncated         bool
	Bytes             int
	Matching          int64
}

func (r logRow) log() query.Log {
	return query.Log{
		Topic: r.KafkaTopic, Partition: r.KafkaPartition, Offset: r.KafkaOffset, LeaderEpoch: r.KafkaLeaderEpoch,
		TopicID: r.TopicID, Time: r.LogTime, EventTime: r.EventTimestamp, Observed: r.ObservedTimestamp,
		SeverityNumber: r.SeverityNumber, SeverityText: r.SeverityText, Body: r.Body, Service: r.Service,
		TraceID: r.TraceID, SpanID: r.SpanID, Attributes: r.Attributes, Raw: r.Raw, ParseError: r.ParseError,
		Truncated: r.Truncated, Bytes: r.Bytes,
	}
}

// Logs answers one window of a search.
func (r *Reader) Logs(ctx context.Context, w query.Window) (query.Page, error) {
	args := append([]any{w.Start, w.End}, filterArgs(w.Filter)...)
	if b := w.Before; b != nil {
		args = append(args, b.Time, b.Topic, b.Partition, b.Offset, b.LeaderEpoch)
	} else {
		args = append(args, nil, nil, nil, nil, nil)
	}
	rows, err := r.Pool.Query(ctx, searchSQL, append(args, w.Limit, w.Bytes)...)
	if err != nil {
		return query.Page{}, failed("search logs", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[logRow])
	if err != nil {
		return query.Page{}, failed("search logs", err)
	}
	page := query.Page{Logs: make([]query.Log, len(found))}
	for i := range found {
		page.Logs[i] = found[i].log()
		page.More = found[i].Matching > int64(len(found)) || len(found) == w.Limit
	}
	return page, nil
}

func filterArgs(f query.Filter) []any {
	return []any{f.MinSeverity, f.Service, f.Text, f.TraceID, f.Topic}
}

// canceled is SQLSTATE query_canceled: the statement timeout.
const canceled = "57014"

// failed says what was asked when err happened, and tells a statement that took
// too long, and a database that cannot be asked, from one that failed.
func failed(what string, err error) error {
	switch pgErr, ok := errors.AsType[*pgconn.PgError](err); {
	case ok && pgErr.Code == canceled:
		return fmt.Errorf("%s: %w: %w", what, query.ErrTooSlow, err)
	case database.Unreachable(err):
		return fmt.Errorf("%s: %w: %w", what, query.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
