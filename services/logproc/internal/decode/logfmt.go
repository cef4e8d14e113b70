package decode

import (
	"encoding/hex"
	"errors"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

var (
	errLogfmtQuote = errors.New("logfmt: quoted value without an end")
	errLogfmtKey   = errors.New("logfmt: value without a key")
	errLogfmtNone  = errors.New("logfmt: no key=value pair")
)

// logfmt decodes key=value pairs as https://brandur.org/logfmt describes them
// and as slog, logrus and go-kit write them. A bare key has the value true.
func (d *Decoder) logfmt(value []byte, rec *record.Record) error {
	attrs := d.scratch
	pairs := 0
	for rest := value; ; {
		key, val, hasValue, next, err := logfmtPair(rest)
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		rest = next
		if hasValue {
			pairs++
		} else {
			val = []byte("true")
		}
		if !logfmtField(string(key), val, rec) {
			attrs = appendText(attrs, key, val)
		}
	}
	if pairs == 0 {
		return errLogfmtNone
	}
	if len(attrs) > 0 {
		attrs = append(attrs, '}')
		rec.Attributes = attrs
	}
	d.scratch = attrs
	return nil
}

// logfmtPair cuts the next pair off; key is nil at the end.
func logfmtPair(s []byte) (key, val []byte, hasValue bool, rest []byte, err error) {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	if i == len(s) {
		return nil, nil, false, nil, nil
	}
	start := i
	for i < len(s) && !isSpace(s[i]) && s[i] != '=' && s[i] != '"' {
		i++
	}
	if i == start {
		return nil, nil, false, nil, errLogfmtKey
	}
	key = s[start:i]
	if i == len(s) || s[i] != '=' {
		if i < len(s) && s[i] == '"' {
			return nil, nil, false, nil, errLogfmtKey
		}
		return key, nil, false, s[i:], nil
	}
	i++
	if i < len(s) && s[i] == '"' {
		return logfmtQuoted(key, s, i+1)
	}
	start = i
	for i < len(s) && !isSpace(s[i]) {
		i++
	}
	return key, s[start:i], true, s[i:], nil
}

func logfmtQuoted(key, s []byte, start int) ([]byte, []byte, bool, []byte, error) {
	escaped := false
	for i := start; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			val := s[start:i]
			if escaped {
				val = unescape(val)
			}
			return key, val, true, s[i+1:], nil
		}
	}
	return nil, nil, false, nil, errLogfmtQuote
}

func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			}
		}
		out = append(out, c)
	}
	return out
}

func logfmtField(key string, val []byte, rec *record.Record) bool {
	switch key {
	case "msg", "message", "body":
		if rec.Body != nil {
			return false
		}
		rec.Body = val
	case "time", "ts", "timestamp", "t":
		if rec.HasTimestamp {
			return false
		}
		rec.Timestamp, rec.HasTimestamp = parseTime(val)
		return rec.HasTimestamp
	case "level", "lvl", "severity":
		if rec.SeverityText != nil {
			return false
		}
		rec.SeverityText = val
		rec.SeverityNumber = record.Severity(val)
	case "service", "service.name":
		if rec.Service != nil {
			return false
		}
		rec.Service = val
	case "trace_id", "traceID", "trace.id":
		return textHex(val, &rec.TraceID, 16)
	case "span_id", "spanID", "span.id":
		return textHex(val, &rec.SpanID, 8)
	default:
		return false
	}
	return true
}

func textHex(val []byte, dst *[]byte, n int) bool {
	if *dst != nil || len(val) != 2*n {
		return false
	}
	id := make([]byte, n)
	if _, err := hex.Decode(id, val); err != nil {
		return false
	}
	*dst = id
	return true
}

// looksLikeLogfmt says whether v begins with a key and has two pairs at least;
// one alone is as likely a sentence with an equals sign.
func looksLikeLogfmt(v []byte) bool {
	pairs := 0
	for rest := v; pairs < 2; {
		key, _, hasValue, next, err := logfmtPair(rest)
		if err != nil || key == nil || !hasValue || !isKey(key) {
			return false
		}
		pairs++
		rest = next
	}
	return true
}

func isKey(key []byte) bool {
	for i, c := range key {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '@'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '.' && c != '-') {
			return false
		}
	}
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
