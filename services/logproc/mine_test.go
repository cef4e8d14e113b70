package logproc

import (
	"bytes"
	"io"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/decode"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// mine is the decoder with a record that explodes: the real one has none that
// we know of.
type mine struct{ decode.Decoder }

func newMine() *mine { return &mine{} }

const (
	panicMark = "explode: panic"
	spinMark  = "explode: spin"
)

func (m *mine) Decode(format decode.Format, value []byte, at time.Time, rec *record.Record) {
	switch {
	case bytes.HasPrefix(value, []byte(panicMark)):
		panic("this record explodes")
	case bytes.HasPrefix(value, []byte(spinMark)):
		for { //nolint:revive // It is to burn CPU time.
		}
	}
	m.Decoder.Decode(format, value, at, rec)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
