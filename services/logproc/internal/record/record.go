// Package record is a log record as it is stored: the OpenTelemetry log data
// model (https://opentelemetry.io/docs/specs/otel/logs/data-model/) plus what
// the pipeline has to say about it.
package record

// Record is one decoded log record. Its slices point into the input or into
// the decoder's own memory and are valid until the next record is decoded, so
// that decoding allocates nothing. A nil slice is NULL, an empty one is not.
type Record struct {
	// Timestamp is the time of the event in microseconds since 1970, if
	// HasTimestamp.
	Timestamp    int64
	HasTimestamp bool
	// SeverityNumber is 1 (TRACE) to 24 (FATAL4), 0 if the record has none.
	SeverityNumber int16
	// SeverityText is the severity as the record spells it.
	SeverityText []byte
	// Body is what the record says: valid UTF-8 without NUL.
	Body []byte
	// Service is the name of the service that wrote it.
	Service []byte
	// TraceID is 16 bytes or nil, SpanID 8 bytes or nil.
	TraceID []byte
	SpanID  []byte
	// Attributes is a JSON object of everything else, nil if there is nothing.
	Attributes []byte
	// Raw is the input, kept when the columns above cannot give it back: it is
	// not valid UTF-8, holds NUL, or could not be parsed.
	Raw []byte
	// ParseError says why it could not be parsed as what it was said to be.
	ParseError string
}

// Reset empties r.
func (r *Record) Reset() { *r = Record{} }
