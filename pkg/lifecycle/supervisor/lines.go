package supervisor

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds a line of output. A longer one is logged in pieces, so that
// nothing of it is lost and no child can make its parent hold more.
const maxLine = 64 << 10

// splitLines reads r to its end and calls emit for every line, without its end
// of line. more is set on a piece that fills maxLine: the line may go on in the
// next piece. The bytes are valid during the call only. It returns the error that
// ended the reading, nil for io.EOF; a line that was cut by the end is emitted.
func splitLines(r io.Reader, emit func(line []byte, more bool)) error {
	br := bufio.NewReaderSize(r, maxLine)
	inLine := false
	for {
		line, err := br.ReadSlice('\n')
		more := errors.Is(err, bufio.ErrBufferFull)
		if body, ended := bytes.CutSuffix(line, []byte("\n")); ended || len(body) > 0 {
			if ended {
				body = bytes.TrimSuffix(body, []byte("\r"))
			}
			// The end of a line whose length is a multiple of maxLine is no line.
			if len(body) > 0 || !inLine {
				emit(body, more)
			}
		}
		inLine = more
		switch {
		case err == nil || more:
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}
