package postgres

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

func TestEveryColumnComesBackAsItWasEncoded(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := take(t, s)
	at := time.Date(2026, 11, 22, 3, 4, 5, 123456000, time.UTC)
	full := &record.Record{
		Timestamp: at.UnixMicro(), HasTimestamp: true, SeverityNumber: 17, SeverityText: []byte("ERROR"), Body: []byte("bödy"),
		Service: []byte("orders"), TraceID: make([]byte, 16), SpanID: make([]byte, 8), Attributes: []byte(`{"a":1}`),
		Raw: []byte{0, 0xff}, ParseError: "json: x",
	}
	var rows encode.Rows
	id := encode.Identity{Topic: l.Topic, TopicID: l.TopicID, Partition: l.Partition, Offset: 0, LeaderEpoch: 4, Timestamp: at.UnixMicro()}
	rows.Append(&id, record.Day(full, at.UnixMicro(), 30), at.UnixMicro(), full)
	id.Offset, id.Timestamp = 1, -1
	rows.Append(&id, record.Undated, at.UnixMicro(), &record.Record{})
	b := &batch.Batch{Parts: []batch.Part{{Lease: l, To: 2, Stored: 2, LeaderEpoch: 4, Rows: [][]byte{rows.Slice(0, 1), rows.Slice(1, 2)}}}}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Day                            *time.Time
		KafkaOffset                    int64
		KafkaLeaderEpoch               int32
		LogTime                        time.Time
		KafkaTimestamp, EventTimestamp *time.Time
		SeverityNumber                 int16
		SeverityText, Body, Service    *string
		TraceID, SpanID, Raw           []byte
		Attributes, ParseError         *string
	}
	result, err := d.pool.Query(t.Context(), `SELECT day, kafka_offset, kafka_leader_epoch, log_time AT TIME ZONE 'UTC' AS log_time,
		kafka_timestamp AT TIME ZONE 'UTC' AS kafka_timestamp, event_timestamp AT TIME ZONE 'UTC' AS event_timestamp, severity_number,
		severity_text, body, service, trace_id, span_id, raw, attributes, parse_error FROM logs ORDER BY kafka_offset`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(result, pgx.RowToStructByName[row])
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{
			Day: new(at.Truncate(24 * time.Hour)), KafkaLeaderEpoch: 4, LogTime: at, KafkaTimestamp: new(at), EventTimestamp: new(at), SeverityNumber: 17,
			SeverityText: new("ERROR"), Body: new("bödy"), Service: new("orders"), TraceID: full.TraceID, SpanID: full.SpanID,
			Raw: full.Raw, Attributes: new(`{"a":1}`), ParseError: new("json: x"),
		},
		{KafkaOffset: 1, KafkaLeaderEpoch: 4, LogTime: at},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
