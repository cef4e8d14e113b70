package logproc

import (
	"bytes"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/decode"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// mine is the decoder with a record that explodes: the real one has none that
// we know of.
type mine struct{ decode.Decoder }

func newMine() *mine { return &mine{} }

// spun keeps the compiler from leaving the loop out.
var spun atomic.Uint64

const (
	panicMark = "explode: panic"
	spinMark  = "explode: spin"
)

func (m *mine) Decode(format decode.Format, value []byte, at time.Time, rec *record.Record) {
	switch {
	case bytes.HasPrefix(value, []byte(panicMark)):
		panic("this record explodes")
	case bytes.HasPrefix(value, []byte(spinMark)):
		for n := uint64(1); n != 0; n += 2 { // Burns CPU time for longer than any test.
			spun.Store(n)
		}
	}
	m.Decoder.Decode(format, value, at, rec)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
