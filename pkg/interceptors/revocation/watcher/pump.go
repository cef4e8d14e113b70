package watcher

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// received is a message or the end of a stream.
type received struct {
	message message.Response
	err     error
}

func (r received) failure() error {
	if r.err == nil || errors.Is(r.err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return r.err
}

// pump moves the messages of a stream through channels without buffers, so
// that a send that blocks does not keep the session from applying what
// arrives. stop ends the stream and waits for its goroutines.
func pump(ctx context.Context, stream message.ClientStream) (<-chan received, chan<- message.Request, func()) {
	ctx, cancel := context.WithCancel(ctx)
	in, out := make(chan received), make(chan message.Request)
	var wg sync.WaitGroup
	deliver := func(r received) bool {
		select {
		case in <- r:
			return r.err == nil
		case <-ctx.Done():
			return false
		}
	}
	wg.Go(func() {
		for {
			m, err := stream.Recv()
			if !deliver(received{m, err}) {
				return
			}
		}
	})
	wg.Go(func() {
		for {
			select {
			case m := <-out:
				if err := stream.Send(m); err != nil {
					return // the receiving side learns why
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return in, out, func() {
		cancel()
		stream.Close()
		wg.Wait()
	}
}

// signal leaves one signal in a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
