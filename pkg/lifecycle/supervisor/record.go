package supervisor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"
)

// errNotRecord means that a line is not a record of a structured log.
var errNotRecord = errors.New("not a structured record")

// parseRecord reads one line as slog's JSON handler writes it: an object with a
// string "msg", and perhaps "time" and "level". The other members become
// attributes in their order. A member "child" is returned apart: it tells that
// the line already came from a child of the child.
func parseRecord(line []byte, now time.Time) (slog.Record, slog.Attr, error) {
	var (
		record  = slog.Record{Time: now, Level: slog.LevelInfo}
		inner   slog.Attr
		message bool
	)
	if len(line) == 0 || line[0] != '{' {
		return record, inner, errNotRecord
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if _, err := dec.Token(); err != nil {
		return record, inner, errNotRecord
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return record, inner, errNotRecord
		}
		key, _ := token.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return record, inner, errNotRecord
		}
		text, isText := unquote(raw)
		switch {
		case key == slog.MessageKey && isText && !message:
			record.Message, message = text, true
		case key == slog.TimeKey && isText:
			if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
				record.Time = t
			}
		case key == slog.LevelKey && isText:
			if err := record.Level.UnmarshalText([]byte(text)); err != nil {
				record.AddAttrs(slog.String(key, text))
			}
		case key == childKey && len(raw) > 0 && raw[0] == '{':
			inner = slog.Any(key, raw)
		case isText:
			record.AddAttrs(slog.String(key, text))
		default:
			record.AddAttrs(slog.Any(key, raw))
		}
	}
	if _, err := dec.Token(); err != nil || !message {
		return record, inner, errNotRecord
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return record, inner, errNotRecord
	}
	return record, inner, nil
}

// unquote returns the value of a JSON string.
func unquote(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}
