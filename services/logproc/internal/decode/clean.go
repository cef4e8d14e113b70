package decode

import (
	"bytes"
	"unicode/utf8"

	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// clean makes every text of rec valid UTF-8 without NUL, which is what
// PostgreSQL's type text can hold, and keeps the input in Raw when that changed
// something.
func (d *Decoder) clean(value []byte, rec *record.Record) {
	changed := false
	for _, text := range []*[]byte{&rec.Body, &rec.SeverityText, &rec.Service, &rec.Attributes} {
		if !storable(*text) {
			*text = sanitize(*text)
			changed = true
		}
	}
	if changed || !storable(value) {
		rec.Raw = value
	}
	if !storable([]byte(rec.ParseError)) {
		rec.ParseError = string(sanitize([]byte(rec.ParseError)))
	}
}

// storable says whether b can be a value of type text.
func storable(b []byte) bool {
	return bytes.IndexByte(b, 0) < 0 && utf8.Valid(b)
}

// sanitize returns b with U+FFFD for every NUL and every byte that is no UTF-8.
func sanitize(b []byte) []byte {
	out := make([]byte, 0, len(b)+16)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == 0 {
			r = utf8.RuneError
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}
