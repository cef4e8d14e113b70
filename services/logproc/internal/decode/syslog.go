package decode

import (
	"bytes"
	"errors"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

var (
	errSyslogPriority  = errors.New("syslog: no priority")
	errSyslogHeader    = errors.New("syslog: header is cut short")
	errSyslogTime      = errors.New("syslog: not a timestamp")
	errSyslogStructure = errors.New("syslog: structured data without an end")
)

// syslog decodes RFC 5424, and RFC 3164 when no version follows the priority.
func (d *Decoder) syslog(value []byte, rec *record.Record) error {
	pri, rest, ok := priority(bytes.TrimLeft(value, " \t\r\n"))
	if !ok {
		return errSyslogPriority
	}
	rec.SeverityNumber = record.SyslogSeverity(pri & 7)
	rec.SeverityText = []byte(record.SyslogSeverityText(pri & 7))
	d.scratch = appendNumber(appendKey(d.scratch, []byte("facility")), pri>>3)
	var err error
	if bytes.HasPrefix(rest, []byte("1 ")) {
		err = d.rfc5424(rest[2:], rec)
	} else {
		err = d.rfc3164(rest, rec)
	}
	if err != nil {
		return err
	}
	d.scratch = append(d.scratch, '}')
	rec.Attributes = d.scratch
	return nil
}

// priority reads <0> to <191>.
func priority(v []byte) (pri int, rest []byte, ok bool) {
	if len(v) < 3 || v[0] != '<' {
		return 0, nil, false
	}
	i := 1
	for i < len(v) && i < 4 && '0' <= v[i] && v[i] <= '9' {
		pri = pri*10 + int(v[i]-'0')
		i++
	}
	if i == 1 || i == len(v) || v[i] != '>' || pri > 191 {
		return 0, nil, false
	}
	return pri, v[i+1:], true
}

// rfc5424 reads TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG.
func (d *Decoder) rfc5424(s []byte, rec *record.Record) error {
	var header [5][]byte
	for i := range header {
		var found bool
		header[i], s, found = bytes.Cut(s, []byte(" "))
		if !found {
			return errSyslogHeader
		}
	}
	if !nilValue(header[0]) {
		if rec.Timestamp, rec.HasTimestamp = parseTime(header[0]); !rec.HasTimestamp {
			return errSyslogTime
		}
	}
	d.attribute("host.name", header[1])
	if !nilValue(header[2]) {
		rec.Service = header[2]
	}
	d.attribute("process.pid", header[3])
	d.attribute("syslog.msgid", header[4])
	msg, err := d.structuredData(s, rec)
	if err != nil {
		return err
	}
	rec.Body = bytes.TrimPrefix(bytes.TrimPrefix(msg, []byte(" ")), []byte("\xef\xbb\xbf"))
	if rec.Body == nil {
		rec.Body = []byte{}
	}
	return nil
}

func nilValue(s []byte) bool { return len(s) == 1 && s[0] == '-' }

func (d *Decoder) attribute(name string, val []byte) {
	if len(val) > 0 && !nilValue(val) {
		d.scratch = appendText(d.scratch, []byte(name), val)
	}
}

// structuredData reads "-" or [id name="value" ...][...] and returns what
// follows. Attributes are called id.name.
func (d *Decoder) structuredData(s []byte, rec *record.Record) ([]byte, error) {
	if len(s) == 0 {
		return nil, errSyslogHeader
	}
	if s[0] == '-' {
		return s[1:], nil
	}
	for len(s) > 0 && s[0] == '[' {
		end := bytes.IndexAny(s, " ]")
		if end < 0 {
			return nil, errSyslogStructure
		}
		id := s[1:end]
		s = s[end:]
		for len(s) > 0 && s[0] == ' ' {
			name, rest, found := bytes.Cut(s[1:], []byte(`="`))
			if !found {
				return nil, errSyslogStructure
			}
			val, after, ok := paramValue(rest)
			if !ok {
				return nil, errSyslogStructure
			}
			d.param(id, name, val, rec)
			s = after
		}
		if len(s) == 0 || s[0] != ']' {
			return nil, errSyslogStructure
		}
		s = s[1:]
	}
	return s, nil
}

func (d *Decoder) param(id, name, val []byte, rec *record.Record) {
	switch string(name) {
	case "trace_id":
		if textHex(val, &rec.TraceID, 16) {
			return
		}
	case "span_id":
		if textHex(val, &rec.SpanID, 8) {
			return
		}
	}
	key := append(append(append(make([]byte, 0, len(id)+1+len(name)), id...), '.'), name...)
	d.scratch = appendText(d.scratch, key, val)
}

// paramValue reads up to the closing quote; \" \\ and \] are escapes.
func paramValue(s []byte) (val, rest []byte, ok bool) {
	escaped := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if val = s[:i]; escaped {
				val = unescapeParam(val)
			}
			return val, s[i+1:], true
		}
	}
	return nil, nil, false
}

func unescapeParam(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\' || s[i+1] == ']') {
			i++
		}
		out = append(out, s[i])
	}
	return out
}
