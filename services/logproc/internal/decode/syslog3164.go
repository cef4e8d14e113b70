package decode

import (
	"bytes"
	"strconv"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// rfc3164 reads "Mmm dd hh:mm:ss HOST TAG[pid]: MSG", leniently: the RFC
// describes what was seen, and a relay may have left any part out.
func (d *Decoder) rfc3164(s []byte, rec *record.Record) error {
	rec.Body = s
	if rec.Body == nil {
		rec.Body = []byte{}
	}
	if len(s) < 16 || s[15] != ' ' {
		return nil
	}
	t, err := time.Parse(time.Stamp, string(s[:15]))
	if err != nil {
		return nil //nolint:nilerr // A header without a time is a message.
	}
	rec.Timestamp, rec.HasTimestamp = within(d.withYear(t).UnixMicro())
	host, msg, found := bytes.Cut(s[16:], []byte(" "))
	if !found {
		rec.Body = s[16:]
		return nil
	}
	d.attribute("host.name", host)
	rec.Body = msg
	end := 0
	for end < len(msg) && end < 48 && tagByte(msg[end]) {
		end++
	}
	if end == 0 || end == len(msg) || msg[end] != ':' && msg[end] != '[' {
		return nil
	}
	tag, rest := msg[:end], msg[end:]
	if rest[0] == '[' {
		pid, after, closed := bytes.Cut(rest[1:], []byte("]"))
		if !closed || len(after) == 0 || after[0] != ':' {
			return nil
		}
		d.attribute("process.pid", pid)
		rest = after
	}
	rec.Service = tag
	rec.Body = bytes.TrimPrefix(rest[1:], []byte(" "))
	return nil
}

// withYear gives t the year that puts it nearest to the time in Kafka.
func (d *Decoder) withYear(t time.Time) time.Time {
	now := d.at.UTC()
	t = t.AddDate(now.Year(), 0, 0)
	switch half := 183 * 24 * time.Hour; {
	case t.Sub(now) > half:
		return t.AddDate(-1, 0, 0)
	case now.Sub(t) > half:
		return t.AddDate(1, 0, 0)
	}
	return t
}

func tagByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' || c == '/'
}

func appendNumber(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }
