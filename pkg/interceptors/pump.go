package interceptors

import (
	"context"
	"io"
	"sync"
)

// pump runs one operation of the transport at a time on a goroutine of its
// own, so that the caller can stop waiting for it. The zero value is ready.
type pump struct {
	mu    sync.Mutex
	work  chan operation
	quit  chan struct{}
	ended bool
}

type operation struct {
	f    func(any) error
	m    any
	done chan error // buffered: an abandoned operation must not block
}

// do runs f(m). It returns the cause of ctx as soon as ctx ends; f then still
// runs until the transport gives up the stream.
func (p *pump) do(ctx context.Context, f func(any) error, m any) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	work, quit, ok := p.start()
	if !ok {
		return io.EOF
	}
	op := operation{f: f, m: m, done: make(chan error, 1)}
	select {
	case work <- op:
	case <-quit:
		return io.EOF
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pump) start() (chan<- operation, <-chan struct{}, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, nil, false
	}
	if p.work == nil {
		p.work, p.quit = make(chan operation), make(chan struct{})
		go run(p.work, p.quit)
	}
	return p.work, p.quit, true
}

func run(work <-chan operation, quit <-chan struct{}) {
	for {
		select {
		case op := <-work:
			op.done <- op.f(op.m)
		case <-quit:
			return
		}
	}
}

// close lets the goroutine end. It does not wait: the goroutine may be in the
// transport, which lets go when the call is over.
func (p *pump) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended && p.quit != nil {
		close(p.quit)
	}
	p.ended = true
}
