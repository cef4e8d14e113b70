package decode

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// holds checks what every decoded record has to fulfil, whatever the input.
func holds(t *testing.T, format Format, value []byte) {
	var rec record.Record
	New().Decode(format, value, appended, &rec)
	for name, text := range map[string][]byte{
		"body": rec.Body, "severity": rec.SeverityText, "service": rec.Service, "attributes": rec.Attributes, "parse error": []byte(rec.ParseError),
	} {
		if !storable(text) {
			t.Errorf("%s %q cannot be stored as text", name, text)
		}
	}
	if value != nil && rec.Body == nil {
		t.Error("a record without a body")
	}
	if (rec.ParseError != "" || !utf8.Valid(value)) && rec.Raw == nil {
		t.Error("the original is not kept")
	}
	if rec.HasTimestamp && !record.Storable(rec.Timestamp) {
		t.Errorf("timestamp %d cannot be stored", rec.Timestamp)
	}
	if n := len(rec.TraceID); n != 0 && n != 16 {
		t.Errorf("trace id of %d bytes", n)
	}
	if n := len(rec.SpanID); n != 0 && n != 8 {
		t.Errorf("span id of %d bytes", n)
	}
	if rec.Attributes != nil && rec.Raw == nil && !json.Valid(rec.Attributes) {
		t.Errorf("attributes are no JSON: %s", rec.Attributes)
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"msg":"x","level":"info","time":1.79e9}`, `{"a":{"b":[1,2,{}]},"msg":"\u0000\ud800"}`, `{"ts":"2026-11-22T03:04:05Z","trace_id":"0af7651916cd43dd8448eb211c80319c"}`, `{`, `[]`, `{"a":1e999}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) { holds(t, JSON, value) })
}

func FuzzLogfmt(f *testing.F) {
	for _, s := range []string{`a=b c="d e" f`, `=x`, `a="\`, `msg="\n\t\"" level=warn ts=1790000000`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) { holds(t, Logfmt, value) })
}

func FuzzSyslog(f *testing.F) {
	for _, s := range []string{`<34>1 2003-10-11T22:14:15.003Z h a p m [x y="z"] msg`, `<34>Oct 11 22:14:15 host su[1]: x`, `<0>`, `<191>1 - - - - - [`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) { holds(t, Syslog, value) })
}

func FuzzAuto(f *testing.F) {
	for _, s := range []string{`{"msg":1}`, `a=b c=d`, `<1>x`, "\x00\xff", ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) { holds(t, Auto, value) })
}
