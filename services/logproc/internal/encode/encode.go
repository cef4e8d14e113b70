// Package encode writes rows of the table logs in PostgreSQL's binary COPY
// format, straight from the decoder into one reused buffer.
//
// Source: "Binary Format" in the PostgreSQL documentation of COPY.
package encode

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// Columns are the columns of a row, in the order in which Append writes them.
const Columns = "day, kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch, topic_id, log_time, kafka_timestamp, " +
	"event_timestamp, observed_timestamp, severity_number, severity_text, body, service, trace_id, span_id, attributes, raw, parse_error"

const columns = 19

// Days and microseconds between PostgreSQL's epoch, 2000-01-01, and 1970.
const (
	epochDays   = 10_957
	epochMicros = 946_684_800_000_000
)

// Identity is where a record is in Kafka.
type Identity struct {
	Topic       string
	TopicID     uuid.UUID
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	// Timestamp is Kafka's time of the record in microseconds since 1970.
	Timestamp int64
}

// Rows are encoded rows. The zero value is empty and ready. Not safe for
// concurrent use.
type Rows struct {
	buf    []byte
	starts []int
}

// Reset empties r and keeps its memory.
func (r *Rows) Reset() { r.buf, r.starts = r.buf[:0], r.starts[:0] }

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.starts) }

// Size is the number of bytes.
func (r *Rows) Size() int { return len(r.buf) }

// Slice returns the encoded rows [from, to), valid until the next Append.
func (r *Rows) Slice(from, to int) []byte {
	if from == to {
		return nil
	}
	end := len(r.buf)
	if to < len(r.starts) {
		end = r.starts[to]
	}
	return r.buf[r.starts[from]:end]
}

// Truncate keeps the first n rows.
func (r *Rows) Truncate(n int) {
	if n < len(r.starts) {
		r.buf, r.starts = r.buf[:r.starts[n]], r.starts[:n]
	}
}

// Header begins a COPY stream, Trailer ends it.
var (
	Header  = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	Trailer = []byte{0xff, 0xff}
)

// Append adds a row. day and observed are as record.Day and microseconds since
// 1970.
func (r *Rows) Append(id *Identity, day int32, observed int64, rec *record.Record) {
	r.starts = append(r.starts, len(r.buf))
	b := binary.BigEndian.AppendUint16(r.buf, columns)
	if day == record.Undated {
		b = null(b)
	} else {
		b = int32Field(b, day-epochDays)
	}
	b = textField(b, id.Topic)
	b = int32Field(b, id.Partition)
	b = int64Field(b, id.Offset)
	b = int32Field(b, id.LeaderEpoch)
	b = bytesField(b, id.TopicID[:])
	b = timeField(b, record.Time(rec, id.Timestamp, observed, day), true)
	b = timeField(b, id.Timestamp, record.Storable(id.Timestamp))
	b = timeField(b, rec.Timestamp, rec.HasTimestamp)
	b = timeField(b, observed, true)
	b = binary.BigEndian.AppendUint32(b, 2)
	b = binary.BigEndian.AppendUint16(b, uint16(rec.SeverityNumber))
	b = bytesField(b, rec.SeverityText)
	b = bytesField(b, rec.Body)
	b = bytesField(b, rec.Service)
	b = bytesField(b, rec.TraceID)
	b = bytesField(b, rec.SpanID)
	b = bytesField(b, rec.Attributes)
	b = bytesField(b, rec.Raw)
	if rec.ParseError == "" {
		b = null(b)
	} else {
		b = textField(b, rec.ParseError)
	}
	r.buf = b
}

func null(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff) }

func int32Field(b []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 4), uint32(v))
}

func int64Field(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(v))
}

func timeField(b []byte, micros int64, known bool) []byte {
	if !known {
		return null(b)
	}
	return int64Field(b, micros-epochMicros)
}

func bytesField(b, v []byte) []byte {
	if v == nil {
		return null(b)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

func textField(b []byte, v string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}
