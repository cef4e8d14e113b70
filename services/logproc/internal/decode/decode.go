// Package decode turns what is in Kafka into log records: JSON, logfmt, syslog
// (RFC 5424 and RFC 3164) and plain text.
//
// Nothing is ever refused. A record that is not what its topic promises is
// stored as its own text, with the bytes and the reason kept.
package decode

import (
	"bytes"
	"fmt"
	"time"

	"github.com/valyala/fastjson"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// Format is how the records of a topic are written.
type Format string

// The formats. Auto looks at each record.
const (
	Auto   Format = "auto"
	JSON   Format = "json"
	Logfmt Format = "logfmt"
	Syslog Format = "syslog"
	Plain  Format = "plain"
)

// ParseFormat returns the format called s.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Auto, JSON, Logfmt, Syslog, Plain:
		return f, nil
	}
	return "", fmt.Errorf("unknown log format %q: want auto, json, logfmt, syslog or plain", s)
}

// Decoder decodes one record at a time. It is not safe for concurrent use; the
// record it fills is valid until the next call.
type Decoder struct {
	parser  fastjson.Parser
	scratch []byte
	at      time.Time
}

// New returns a decoder.
func New() *Decoder { return &Decoder{} }

// Decode fills rec with value, which is nil for a tombstone. The result depends
// on the arguments alone: RFC 3164 writes no year, and it is the one that puts
// the event nearest to at, the time of the record in Kafka.
func (d *Decoder) Decode(format Format, value []byte, at time.Time, rec *record.Record) {
	rec.Reset()
	d.at = at
	if value == nil {
		return
	}
	d.scratch = d.scratch[:0]
	if format == Auto {
		format = detect(value)
	}
	var err error
	switch format {
	case JSON:
		err = d.json(value, rec)
	case Logfmt:
		err = d.logfmt(value, rec)
	case Syslog:
		err = d.syslog(value, rec)
	}
	if err != nil {
		rec.Reset()
		rec.ParseError = err.Error()
		rec.Raw = value
	}
	if rec.Body == nil {
		rec.Body = value
	}
	d.clean(value, rec)
}

// detect guesses the format of one record from its first bytes. A wrong guess
// costs a parse error beside the text, never the text.
func detect(value []byte) Format {
	v := bytes.TrimLeft(value, " \t\r\n")
	switch {
	case len(v) == 0:
		return Plain
	case v[0] == '{':
		return JSON
	case v[0] == '<':
		if _, _, ok := priority(v); ok {
			return Syslog
		}
		return Plain
	case looksLikeLogfmt(v):
		return Logfmt
	}
	return Plain
}
