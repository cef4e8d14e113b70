package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// maxMessage bounds a message in either direction, of the control stream and
// of the application's services on the same connection.
const maxMessage = 1 << 20

// errDialedTwice ends the reconnecting of a connection that can't come back.
var errDialedTwice = errors.New("the channel of a child can't be dialed again")

// wire is one end of a channel. It knows which side ended it.
type wire struct {
	net.Conn

	once sync.Once
	// gone is closed when the other side has closed its end.
	gone chan struct{}
}

// newWire takes over the file, which must be a socket.
func newWire(file *os.File) (*wire, error) {
	conn, err := net.FileConn(file)
	if err = errors.Join(err, file.Close()); err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, fmt.Errorf("control channel: %w", err)
	}
	return &wire{Conn: conn, gone: make(chan struct{})}, nil
}

// Read sees the end of the other side. It is called by gRPC without a pause,
// so that the end is seen at once.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.see(err)
	return n, err
}

// Write may see the end before Read does: gRPC then closes the connection, and
// the reader would see that instead of the end.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.see(err)
	return n, err
}

func (w *wire) see(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		w.once.Do(func() { close(w.gone) })
	}
}

// ended tells whether the other side has closed its end.
func (w *wire) ended() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

// dial makes a client connection of the wire. It is connected once and never
// again: a child has one channel for its life.
func dial(w *wire, connect time.Duration) (*grpc.ClientConn, error) {
	var once sync.Once
	dialer := func(context.Context, string) (net.Conn, error) {
		var conn net.Conn
		once.Do(func() { conn = w })
		if conn == nil {
			return nil, errDialedTwice
		}
		return conn, nil
	}
	return grpc.NewClient("passthrough:///child",
		grpc.WithContextDialer(dialer),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connect}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithIdleTimeout(0), // an idle connection that is closed would look like a dead parent
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
	)
}
