package leak

import (
	"bytes"
	"io"
	"os"
	"sync"
)

const (
	// longest is what a line may have before it is looked at in pieces.
	longest = 64 << 10
	// overlap is what two pieces share, so that a token is whole in one of them.
	overlap = 12 << 10
)

// Writer returns a writer that looks for secrets in what passes to next, which
// may be nil. Safe for concurrent use if next is. What follows the last line
// end is looked at when the Writer is closed.
func Writer(from string, next io.Writer) io.WriteCloser {
	if next == nil {
		next = io.Discard
	}
	return &writer{from: from, next: next}
}

type writer struct {
	from string
	next io.Writer

	mu    sync.Mutex
	carry []byte
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	w.scan(p)
	return w.next.Write(p)
}

func (w *writer) scan(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := bytes.IndexByte(p, '\n') >= 0
	w.carry = append(w.carry, p...)
	if ended {
		end := bytes.LastIndexByte(w.carry, '\n') + 1
		keep(In(w.from, string(w.carry[:end])))
		w.carry = append(w.carry[:0], w.carry[end:]...)
	}
	if len(w.carry) > longest {
		keep(In(w.from, string(w.carry)))
		w.carry = append(w.carry[:0], w.carry[len(w.carry)-overlap:]...)
	}
}

// Close implements io.Closer. It does not close what it passed to.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	keep(In(w.from, string(w.carry)))
	w.carry = nil
	return nil
}

// File looks for secrets in a file, for example the log of a process that has
// ended.
func File(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err //nolint:wrapcheck // It names the file.
	}
	defer func() { _ = f.Close() }()
	w := Writer(path, nil)
	if _, err := io.Copy(w, f); err != nil {
		return err //nolint:wrapcheck // It names the file.
	}
	return w.Close()
}

// Exit returns the exit status of tests that ended with code: a failure, and
// what was found on stderr, if a secret was written.
func Exit(code int, stderr io.Writer) int {
	err := Found()
	if err == nil {
		return code
	}
	_, _ = io.WriteString(stderr, "secrets were written:\n"+err.Error()+"\n")
	return max(code, 1)
}
