package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of one JSON object of a token. They bound the time and the memory
// that a hostile token costs before its signature was looked at.
const (
	maxDepth   = 8
	maxMembers = 256
)

// errObject is why a text is no acceptable JSON object.
var errObject = errors.New("not a strict json object")

// object decodes data as one JSON object and refuses everything that two
// parsers may understand differently: duplicate members at any depth, invalid
// UTF-8, unpaired surrogates, NUL, trailing data. Numbers stay json.Number.
// encoding/json into a struct would not do: it takes the last of duplicates
// and matches names without case.
func object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: invalid utf-8", errObject)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	w := walker{dec: dec, left: maxMembers}
	first, err := dec.Token()
	if err != nil || first != json.Delim('{') {
		return nil, fmt.Errorf("%w: no object", errObject)
	}
	out, err := w.members(1)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: trailing data", errObject)
	}
	return out, nil
}

type walker struct {
	dec  *json.Decoder
	left int
}

// members reads up to the closing brace of an object.
func (w *walker) members(depth int) (map[string]any, error) {
	out := map[string]any{}
	for {
		tok, err := w.next()
		if err != nil {
			return nil, err
		}
		if tok == json.Delim('}') {
			return out, nil
		}
		name, ok := tok.(string)
		if !ok {
			return nil, fmt.Errorf("%w: member name", errObject)
		}
		if _, dup := out[name]; dup {
			return nil, fmt.Errorf("%w: duplicate member", errObject)
		}
		if out[name], err = w.value(depth); err != nil {
			return nil, err
		}
	}
}

// elements reads up to the closing bracket of an array.
func (w *walker) elements(depth int) ([]any, error) {
	out := []any{}
	for w.dec.More() {
		v, err := w.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := w.next()
	return out, err
}

func (w *walker) value(depth int) (any, error) {
	tok, err := w.next()
	if err != nil {
		return nil, err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return tok, nil
	}
	if depth >= maxDepth {
		return nil, fmt.Errorf("%w: too deep", errObject)
	}
	switch delim {
	case '{':
		return w.members(depth + 1)
	case '[':
		return w.elements(depth + 1)
	default:
		return nil, fmt.Errorf("%w: unexpected delimiter", errObject)
	}
}

func (w *walker) next() (json.Token, error) {
	if w.left--; w.left < 0 {
		return nil, fmt.Errorf("%w: too many values", errObject)
	}
	tok, err := w.dec.Token()
	if err != nil {
		// The cause quotes the input, so it is not wrapped.
		return nil, fmt.Errorf("%w: syntax", errObject)
	}
	// The decoder puts U+FFFD where an escape is half of a surrogate pair: two
	// different texts would become one.
	if s, ok := tok.(string); ok && strings.ContainsAny(s, "\ufffd\x00") {
		return nil, fmt.Errorf("%w: replacement or nul character", errObject)
	}
	return tok, nil
}
