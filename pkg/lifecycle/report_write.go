package lifecycle

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// Whoever reads stderr may be frozen, so writing is bounded: by writeTime, and by what is left until the end of the
// grace, but not below leastWriteTime, without which a late stop would have no report at all.
const (
	writeTime      = 300 * time.Millisecond
	leastWriteTime = 20 * time.Millisecond
)

// line is the report as a line of structured logs, with the keys of slog.JSONHandler.
type line struct {
	Time  time.Time  `json:"time"`
	Level slog.Level `json:"level"`
	Msg   string     `json:"msg"`

	Report //nolint:embeddedstructfieldcheck // encoding/json writes fields in their order: the keys of every log line come first
}

// JSON returns the report as one line with "msg":"stop report", without a newline at its end.
func (r Report) JSON() ([]byte, error) {
	l := line{Time: r.Began.Add(time.Duration(r.Used)), Msg: "stop report", Report: r}
	switch {
	case r.ExitCode != ExitClean && r.ExitCode != ExitDeadline, severity[r.Outcome] >= severity[Abandoned]:
		l.Level = slog.LevelError
	case r.ExitCode != ExitClean:
		l.Level = slog.LevelWarn
	}
	return json.Marshal(l)
}

// write writes the report to the report writer and the termination-message file, in bounded time. The grace ends at end.
func (g *Group) write(r Report, end time.Time) {
	g.notes.flush(end)
	defer g.notes.flush(end)
	done := make(chan struct{})
	go guard(func() error {
		if err := writeTermination(g.conf.termination, r); err != nil {
			g.notes.add(slog.LevelWarn, "termination message not written", slog.String("error", err.Error()))
		}
		if err := writeReport(g.conf.report, g.conf.table, r); err != nil {
			g.notes.add(slog.LevelWarn, "stop report not written", slog.String("error", err.Error()))
		}
		return nil
	}, func(error) { close(done) })
	wait := time.NewTimer(max(leastWriteTime, min(writeTime, time.Until(end)-notesTime)))
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
	}
}

func writeReport(w io.Writer, table bool, r Report) error {
	if w == nil {
		return nil
	}
	data, err := r.JSON()
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	data = append(data, '\n')
	if table || isTerminal(w) {
		data = append([]byte(r.String()), data...)
	}
	_, err = w.Write(data)
	return err
}

// isTerminal reports whether a person is likely to read w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
