package postgres

import (
	"errors"
	"io"
	"net"
)

// brokenConnection says whether err is the end of the connection itself.
func brokenConnection(err error) bool {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return true
	}
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}
