package supervisor

// tail keeps the last bytes of what is written to it. It is not safe for
// concurrent use.
type tail struct {
	limit int
	buf   []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > t.limit {
		p = p[n-t.limit:]
	}
	t.buf = append(t.buf, p...)
	// Moving the bytes only when twice the limit is there makes a write cost
	// its own length.
	if len(t.buf) >= 2*t.limit {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.limit:]...)
	}
	return n, nil
}

// String returns what is kept.
func (t *tail) String() string {
	return string(t.buf[max(0, len(t.buf)-t.limit):])
}

// head keeps the first bytes of what is written to it.
type head struct {
	limit int
	buf   []byte
}

// Write never fails.
func (h *head) Write(p []byte) (int, error) {
	h.buf = append(h.buf, p[:min(len(p), h.limit-len(h.buf))]...)
	return len(p), nil
}
