package stopreport

import "slices"

// maxDepth bounds how deep a mended object may be; a report is 5 deep.
const maxDepth = 16

// mend closes an object whose end was cut off, behind the last value that is complete, or returns nil. The kubelet cuts
// messages in the middle where many containers share its 12 KiB.
func mend(data []byte) []byte {
	var open, closers []byte // brackets to be closed, now and at the end of the last complete value
	end := 0
	complete := func(at int) { end, closers = at, append(closers[:0], open...) }
	inString, escaped := false, false
scan:
	for i, c := range data {
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
			if c < ' ' {
				break scan
			}
		case c == '{' || c == '[':
			if len(open) == maxDepth {
				break scan
			}
			open = append(open, c+2) // the closing bracket of both
		case c == '}' || c == ']':
			if len(open) == 0 || open[len(open)-1] != c {
				break scan
			}
			open = open[:len(open)-1]
			complete(i + 1)
		case c == ',':
			complete(i)
		case c < ' ':
			break scan
		}
		if len(open) == 0 {
			break
		}
	}
	if end == 0 {
		return nil
	}
	slices.Reverse(closers)
	return append(slices.Clone(data[:end]), closers...)
}
