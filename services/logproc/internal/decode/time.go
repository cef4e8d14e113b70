package decode

import (
	"math"
	"strconv"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05,999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999",
}

// parseTime reads a timestamp in microseconds. Without a zone it is UTC.
func parseTime(s []byte) (int64, bool) {
	if us, ok := rfc3339(s); ok {
		return within(us)
	}
	if len(s) > 0 && len(s) < 32 && s[len(s)-1] <= '9' && onlyNumber(s) {
		f, err := strconv.ParseFloat(string(s), 64)
		if err != nil {
			return 0, false
		}
		return epochTime(f)
	}
	if len(s) < 19 || len(s) > 40 {
		return 0, false
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(s)); err == nil {
			return within(t.UnixMicro())
		}
	}
	return 0, false
}

func onlyNumber(s []byte) bool {
	for _, c := range s {
		if (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return true
}

// rfc3339 is the fast path for 2006-01-02T15:04:05[.999999999]Z.
func rfc3339(s []byte) (int64, bool) {
	if len(s) < 20 || s[len(s)-1] != 'Z' || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	sec, ok6 := digits(s[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || sec > 59 {
		return 0, false
	}
	micros := 0
	if frac := s[19 : len(s)-1]; len(frac) > 0 {
		if frac[0] != '.' || len(frac) < 2 || len(frac) > 10 {
			return 0, false
		}
		scale := 100_000
		for _, c := range frac[1:] {
			if c < '0' || c > '9' {
				return 0, false
			}
			micros += int(c-'0') * scale
			scale /= 10
		}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, sec, 0, time.UTC)
	if t.Day() != day {
		return 0, false
	}
	return t.Unix()*1_000_000 + int64(micros), true
}

func digits(s []byte) (n int, ok bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// epochTime guesses the unit of a Unix time by its size: seconds, milli-,
// micro- or nanoseconds.
func epochTime(f float64) (int64, bool) {
	switch {
	case math.IsNaN(f) || f < 1e8:
		return 0, false
	case f < 1e11:
		return within(int64(f * 1e6))
	case f < 1e14:
		return within(int64(f * 1e3))
	case f < 1e17:
		return within(int64(f))
	case f < 1e19:
		return within(int64(f / 1e3))
	}
	return 0, false
}

// within refuses the times of a broken clock: the record keeps the text as an
// attribute.
func within(us int64) (int64, bool) {
	if !record.Storable(us) {
		return 0, false
	}
	return us, true
}
