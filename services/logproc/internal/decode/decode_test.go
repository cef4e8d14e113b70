package decode

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// view is a record as the tables of this test write it.
type view struct {
	Body, Severity, Service, Attributes, Trace, Span, Time string
	Number                                                 int16
	Raw, Failed, NoBody                                    bool
}

func see(rec *record.Record) view {
	v := view{
		Body: string(rec.Body), Severity: string(rec.SeverityText), Service: string(rec.Service), Attributes: string(rec.Attributes),
		Trace: hex.EncodeToString(rec.TraceID), Span: hex.EncodeToString(rec.SpanID), Number: rec.SeverityNumber,
		Raw: rec.Raw != nil, Failed: rec.ParseError != "", NoBody: rec.Body == nil,
	}
	if rec.HasTimestamp {
		v.Time = time.UnixMicro(rec.Timestamp).UTC().Format(time.RFC3339Nano)
	}
	return v
}

var appended = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		value  string
		want   view
	}{
		"slog JSON": {
			Auto, `{"time":"2026-11-22T03:04:05.123456Z","level":"WARN","msg":"hello","n":1,"trace_id":"0af7651916cd43dd8448eb211c80319c"}`,
			view{Body: "hello", Severity: "WARN", Number: 13, Attributes: `{"n":1}`, Time: "2026-11-22T03:04:05.123456Z", Trace: "0af7651916cd43dd8448eb211c80319c"},
		},
		"zap JSON with seconds": {
			JSON, `{"level":"error","ts":1790000000.5,"message":"x","service":"orders"}`,
			view{Body: "x", Severity: "error", Number: 17, Service: "orders", Time: "2026-09-21T14:13:20.5Z"},
		},
		"a message that is no text stays an attribute": {
			JSON, `{"msg":{"a":1}}`, view{Body: `{"msg":{"a":1}}`, Attributes: `{"msg":{"a":1}}`},
		},
		"JSON without a message has its text as body": {JSON, `{"a":"b"}`, view{Body: `{"a":"b"}`, Attributes: `{"a":"b"}`}},
		"broken JSON keeps bytes and reason":          {JSON, `{"a":`, view{Body: `{"a":`, Raw: true, Failed: true}},
		"an array is no record":                       {JSON, `[1]`, view{Body: `[1]`, Raw: true, Failed: true}},
		"an escaped NUL is replaced and the original kept": {
			JSON, `{"msg":"a\u0000b"}`, view{Body: "a\uFFFDb", Raw: true},
		},
		"logfmt": {
			Auto, `level=info msg="two words \"quoted\"" n=1 flag service=orders`,
			view{Body: `two words "quoted"`, Severity: "info", Number: 9, Service: "orders", Attributes: `{"n":"1","flag":"true"}`},
		},
		"a sentence with one equals sign is plain": {Auto, `x=1 is what it said`, view{Body: `x=1 is what it said`}},
		"an open quote is no logfmt":               {Logfmt, `a="b`, view{Body: `a="b`, Raw: true, Failed: true}},
		"RFC 5424": {
			Auto, `<165>1 2003-10-11T22:14:15.003Z host.example app 42 ID47 [ex@32473 iut="3" note="a\]b"] message`,
			view{
				Body: "message", Severity: "notice", Number: 10, Service: "app", Time: "2003-10-11T22:14:15.003Z",
				Attributes: `{"facility":20,"host.name":"host.example","process.pid":"42","syslog.msgid":"ID47","ex@32473.iut":"3","ex@32473.note":"a]b"}`,
			},
		},
		"RFC 5424 with nothing but nil values": {
			Syslog, `<34>1 - - - - - -`, view{Severity: "crit", Number: 18, Attributes: `{"facility":4}`},
		},
		"RFC 5424 cut in its structured data": {
			Syslog, `<34>1 - - - - - [a b="c`, view{Body: `<34>1 - - - - - [a b="c`, Raw: true, Failed: true},
		},
		"RFC 3164 takes the year from Kafka's time": {
			Auto, `<34>Dec 31 22:14:15 mymachine su[12]: 'su root' failed`,
			view{
				Body: `'su root' failed`, Severity: "crit", Number: 18, Service: "su", Time: "2025-12-31T22:14:15Z",
				Attributes: `{"facility":4,"host.name":"mymachine","process.pid":"12"}`,
			},
		},
		"a priority above 191 is none": {Auto, `<192>text`, view{Body: `<192>text`}},
		"plain":                        {Plain, `{"msg":"not looked at"}`, view{Body: `{"msg":"not looked at"}`}},
		"empty":                        {Auto, ``, view{}},
		"no UTF-8":                     {Auto, "a\xffb", view{Body: "a\uFFFDb", Raw: true}},
		"NUL":                          {Plain, "a\x00b", view{Body: "a\uFFFDb", Raw: true}},
		"JSON in bad UTF-8":            {JSON, "{\"msg\":\"a\xffb\"}", view{Body: "a\uFFFDb", Raw: true}},
	} {
		t.Run(name, func(t *testing.T) {
			var rec record.Record
			New().Decode(c.format, []byte(c.value), appended, &rec)
			if diff := cmp.Diff(c.want, see(&rec)); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATombstoneHasNoBody(t *testing.T) {
	var rec record.Record
	New().Decode(Auto, nil, appended, &rec)
	if rec.Body != nil || rec.Raw != nil || rec.ParseError != "" {
		t.Errorf("record of a tombstone: %+v", see(&rec))
	}
}

func TestDecodingAJSONRecordAllocatesOnlyItsIds(t *testing.T) {
	d, value := New(), []byte(`{"time":"2026-11-22T03:04:05.123456Z","level":"INFO","msg":"hello","n":1,"path":"/v1/orders"}`)
	var rec record.Record
	if n := testing.AllocsPerRun(100, func() { d.Decode(JSON, value, appended, &rec) }); n > 0 {
		t.Errorf("%v allocations for a record", n)
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	d := New()
	value := []byte(`{"time":"2026-11-22T03:04:05.123456Z","level":"INFO","msg":"hello","n":1,"path":"` + strings.Repeat("x", 200) + `"}`)
	var rec record.Record
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		d.Decode(JSON, value, appended, &rec)
	}
}
