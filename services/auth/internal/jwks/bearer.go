package jwks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const maxTokenBytes = 16 << 10

// bearer puts the token of a file on every request, if there is one.
type bearer struct {
	file string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.file == "" {
		return b.next.RoundTrip(r)
	}
	content, err := read(b.file, maxTokenBytes)
	if err != nil {
		return nil, err
	}
	value := string(bytes.TrimSpace(content))
	if value == "" || strings.ContainsAny(value, " \t\r\n") {
		return nil, errors.New("token for the keys: the file does not hold one token")
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+value)
	return b.next.RoundTrip(r)
}

// read reads a file of at most limit bytes.
func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return content, nil
}
