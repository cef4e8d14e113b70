package token

import (
	"fmt"
	"log/slog"
)

// redacted is what every way of printing a token gives.
const redacted = "[redacted]"

// Raw is the text of a token. However it is printed, marshalled or logged, it
// shows "[redacted]"; convert it to string to send it.
type Raw string

// String returns "[redacted]".
func (Raw) String() string { return redacted }

// GoString returns "[redacted]".
func (Raw) GoString() string { return redacted }

// Format prints "[redacted]" for every verb, %x and %q included.
func (Raw) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[redacted]".
func (Raw) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for JSON and every other text encoding.
func (Raw) MarshalText() ([]byte, error) { return []byte(redacted), nil }
