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

	"github.com/curfew-platform/curfew/services/logproc/internal/query"
)

// Reader answers questions about what is stored. Safe for concurrent use.
type Reader struct {
	Pool  *pgxpool.Pool
	Group string
}

const logColumns = `kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch, topic_id,
    log_time, event_timestamp, observed_timestamp,
    severity_number, severity_text, body, service, trace_id, span_id, attributes, raw, parse_error`

// The first condition lets the planner leave partitions out. Days are UTC, and a
// date of the session may be a day off; rows without a day are always read.
const searchSQL = `
SELECT ` + logColumns + `
FROM logs
WHERE (day BETWEEN $1::timestamptz::date - 1 AND $2::timestamptz::date + 1 OR day IS NULL)
  AND log_time >= $1
  AND log_time < $2
  AND ` + filterSQL + `
  AND ($8::timestamptz IS NULL OR
       (log_time, kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch)
       < ($8, $9::text, $10::int, $11::bigint, $12::int))
ORDER BY log_time DESC, kafka_topic DESC, kafka_partition DESC, kafka_offset DESC, kafka_leader_epoch DESC
LIMIT $13`

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
}

func (r logRow) log() query.Log {
	return query.Log{
		Topic: r.KafkaTopic, Partition: r.KafkaPartition, Offset: r.KafkaOffset, LeaderEpoch: r.KafkaLeaderEpoch,
		TopicID: r.TopicID, Time: r.LogTime, EventTime: r.EventTimestamp, Observed: r.ObservedTimestamp,
		SeverityNumber: r.SeverityNumber, SeverityText: r.SeverityText, Body: r.Body, Service: r.Service,
		TraceID: r.TraceID, SpanID: r.SpanID, Attributes: r.Attributes, Raw: r.Raw, ParseError: r.ParseError,
	}
}

// Logs answers one window of a search.
func (r *Reader) Logs(ctx context.Context, w query.Window) ([]query.Log, error) {
	args := append([]any{w.Start, w.End}, filterArgs(w.Filter)...)
	if b := w.Before; b != nil {
		args = append(args, b.Time, b.Topic, b.Partition, b.Offset, b.LeaderEpoch)
	} else {
		args = append(args, nil, nil, nil, nil, nil)
	}
	rows, err := r.Pool.Query(ctx, searchSQL, append(args, w.Limit)...)
	if err != nil {
		return nil, slow(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[logRow])
	if err != nil {
		return nil, slow(err)
	}
	logs := make([]query.Log, len(found))
	for i := range found {
		logs[i] = found[i].log()
	}
	return logs, nil
}

func filterArgs(f query.Filter) []any {
	return []any{f.MinSeverity, f.Service, f.Text, f.TraceID, f.Topic}
}

// canceled is SQLSTATE query_canceled: the statement timeout.
const canceled = "57014"

// slow tells a statement that took too long from one that failed.
func slow(err error) error {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == canceled {
		return fmt.Errorf("%w: %w", query.ErrTooSlow, err)
	}
	return err
}
