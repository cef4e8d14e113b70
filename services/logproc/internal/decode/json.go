package decode

import (
	"encoding/hex"
	"errors"

	"github.com/valyala/fastjson"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

var errNotObject = errors.New("json: not an object")

// json decodes a JSON object. Names are those that loggers use: slog, zap, zerolog,
// logrus, bunyan, ECS and OpenTelemetry. The first of several names for one
// field wins; every other member becomes an attribute.
func (d *Decoder) json(value []byte, rec *record.Record) error {
	v, err := d.parser.ParseBytes(value)
	if err != nil {
		return invalid(err)
	}
	obj, err := v.Object()
	if err != nil {
		return errNotObject
	}
	attrs := d.scratch
	obj.Visit(func(key []byte, v *fastjson.Value) {
		if d.jsonField(string(key), v, rec) {
			return
		}
		attrs = appendMember(attrs, key, v)
	})
	if len(attrs) > 0 {
		attrs = append(attrs, '}')
		// The parser takes numbers that JSON does not know, such as 00 and NaN.
		if err := fastjson.ValidateBytes(attrs); err != nil {
			return invalid(err)
		}
		rec.Attributes = attrs
	}
	d.scratch = attrs
	return nil
}

// invalid keeps what the parser says short: it quotes the input.
func invalid(err error) error {
	message := err.Error()
	return errors.New("json: " + message[:min(len(message), 200)])
}

// jsonField takes v as a column of rec, or returns false.
func (d *Decoder) jsonField(key string, v *fastjson.Value, rec *record.Record) bool {
	switch key {
	case "message", "msg", "body", "Body":
		if rec.Body != nil || v.Type() != fastjson.TypeString {
			return false
		}
		rec.Body = v.GetStringBytes()
	case "time", "ts", "timestamp", "@timestamp", "Timestamp", "timeUnixNano":
		if rec.HasTimestamp {
			return false
		}
		rec.Timestamp, rec.HasTimestamp = jsonTime(v)
		return rec.HasTimestamp
	case "level", "severity", "severity_text", "SeverityText", "severityText", "log.level", "lvl":
		if rec.SeverityText != nil || v.Type() != fastjson.TypeString {
			return false
		}
		rec.SeverityText = v.GetStringBytes()
		if rec.SeverityNumber == 0 {
			rec.SeverityNumber = record.Severity(rec.SeverityText)
		}
	case "severity_number", "SeverityNumber", "severityNumber":
		n, err := v.Int()
		if err != nil || n < 1 || n > 24 {
			return false
		}
		rec.SeverityNumber = int16(n)
	case "service", "service.name", "service_name":
		if rec.Service != nil || v.Type() != fastjson.TypeString {
			return false
		}
		rec.Service = v.GetStringBytes()
	case "trace_id", "traceId", "TraceId", "trace.id", "traceID":
		return hexField(v, &rec.TraceID, 16)
	case "span_id", "spanId", "SpanId", "span.id", "spanID":
		return hexField(v, &rec.SpanID, 8)
	default:
		return false
	}
	return true
}

// hexField decodes an id of n bytes. Something else stays an attribute, so that
// it is not lost.
func hexField(v *fastjson.Value, dst *[]byte, n int) bool {
	if *dst != nil || v.Type() != fastjson.TypeString {
		return false
	}
	s := v.GetStringBytes()
	if len(s) != 2*n {
		return false
	}
	id := make([]byte, n)
	if _, err := hex.Decode(id, s); err != nil {
		return false
	}
	*dst = id
	return true
}

func jsonTime(v *fastjson.Value) (int64, bool) {
	switch v.Type() {
	case fastjson.TypeString:
		return parseTime(v.GetStringBytes())
	case fastjson.TypeNumber:
		f, err := v.Float64()
		if err != nil {
			return 0, false
		}
		return epochTime(f)
	}
	return 0, false
}

// appendMember appends `"key":value` to the object that dst holds.
func appendMember(dst, key []byte, v *fastjson.Value) []byte {
	dst = appendKey(dst, key)
	return v.MarshalTo(dst)
}

// appendText appends `"key":"text"` to the object that dst holds.
func appendText(dst, key, text []byte) []byte {
	return appendString(appendKey(dst, key), text)
}

func appendKey(dst, key []byte) []byte {
	if len(dst) == 0 {
		dst = append(dst, '{')
	} else {
		dst = append(dst, ',')
	}
	return append(appendString(dst, key), ':')
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string (RFC 8259, section 7).
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		start = i + 1
	}
	return append(append(dst, s[start:]...), '"')
}
