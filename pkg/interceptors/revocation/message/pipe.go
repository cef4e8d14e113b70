package message

import (
	"context"
	"io"
)

// Pipe returns the two ends of a stream within this process. It ends when ctx
// ends or the client closes it.
func Pipe(ctx context.Context) (ClientStream, ServerStream) {
	ctx, cancel := context.WithCancel(ctx) //nolint:gosec // Close calls it
	p := &pipe{ctx: ctx, cancel: cancel, up: make(chan Request), down: make(chan Response)}
	return (*pipeClient)(p), (*pipeServer)(p)
}

type pipe struct {
	ctx    context.Context
	cancel context.CancelFunc
	up     chan Request
	down   chan Response
}

type pipeClient pipe

func (p *pipeClient) Send(m Request) error {
	select {
	case p.up <- m:
		return nil
	case <-p.ctx.Done():
		return io.EOF
	}
}

func (p *pipeClient) Recv() (Response, error) {
	select {
	case m := <-p.down:
		return m, nil
	case <-p.ctx.Done():
		return nil, io.EOF
	}
}

func (p *pipeClient) Close() { p.cancel() }

type pipeServer pipe

func (p *pipeServer) Send(m Response) error {
	select {
	case p.down <- m:
		return nil
	case <-p.ctx.Done():
		return io.EOF
	}
}

func (p *pipeServer) Recv() (Request, error) {
	select {
	case m := <-p.up:
		return m, nil
	case <-p.ctx.Done():
		return nil, io.EOF
	}
}
