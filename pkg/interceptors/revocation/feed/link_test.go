package feed_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// link is a network between two parties: it delays, holds what is under way,
// or is cut.
type link struct {
	seed uint64

	mu   sync.Mutex
	slow time.Duration // what a message takes at most
	held chan struct{} // closed when the link goes on; nil if it does
	dead bool
	down chan struct{} // closed by the next cut
}

func newLink(random *rand.Rand) *link {
	return &link{seed: random.Uint64(), slow: usual, down: make(chan struct{})}
}

const usual = 30 * time.Millisecond

// slower makes messages take up to d.
func (l *link) slower(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow = d
}

func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = make(chan struct{})
	}
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.dead = true
		close(l.down)
	}
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow = usual
	if l.held != nil {
		close(l.held)
		l.held = nil
	}
	if l.dead {
		l.dead = false
		l.down = make(chan struct{})
	}
}

func (l *link) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

var errCut = errors.New("link cut")

// pass waits until a message is through.
func (l *link) pass(ctx context.Context, random *rand.Rand) error {
	l.mu.Lock()
	down, slow := l.down, l.slow
	l.mu.Unlock()
	t := time.NewTimer(time.Duration(random.Int64N(int64(slow))))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		l.mu.Lock()
		held, dead := l.held, l.dead
		l.mu.Unlock()
		switch {
		case dead:
			return errCut
		case held == nil:
			return nil
		}
		select {
		case <-held:
		case <-down:
			return errCut
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// slowStore reaches a store over a link: the request and its answer pass it
// one after the other, so an answer may be lost after the statement was done.
type slowStore struct {
	feed.Store
	link *link
}

func over[T any](ctx context.Context, l *link, do func() (T, error)) (T, error) {
	var none T
	random := rand.New(rand.NewPCG(l.seed, rand.Uint64()))
	if err := l.pass(ctx, random); err != nil {
		return none, err
	}
	v, err := do()
	if err != nil {
		return none, err
	}
	return v, l.pass(ctx, random)
}

func (s *slowStore) Renew(ctx context.Context, r feed.Renewal) (time.Duration, error) {
	return over(ctx, s.link, func() (time.Duration, error) { return s.Store.Renew(ctx, r) })
}

func (s *slowStore) Publish(ctx context.Context, k feed.RowKey, p feed.Progress) error {
	_, err := over(ctx, s.link, func() (int, error) { return 0, s.Store.Publish(ctx, k, p) })
	return err
}

func (s *slowStore) Read(ctx context.Context, after int64, limit int) (feed.Page, error) {
	return over(ctx, s.link, func() (feed.Page, error) { return s.Store.Read(ctx, after, limit) })
}

func (s *slowStore) Rows(ctx context.Context) ([]feed.Row, error) {
	return over(ctx, s.link, func() ([]feed.Row, error) { return s.Store.Rows(ctx) })
}

func (s *slowStore) Remove(ctx context.Context, k feed.RowKey, n int64) error {
	_, err := over(ctx, s.link, func() (int, error) { return 0, s.Store.Remove(ctx, k, n) })
	return err
}

// slowStream is a stream over two links: each direction keeps its order, and
// buffers what is under way, as a socket does.
type slowStream struct {
	message.ClientStream
	ctx  context.Context
	up   chan message.Request
	down chan message.Response
}

func newSlowStream(ctx context.Context, s message.ClientStream, l, engine *link) message.ClientStream {
	ctx, cancel := context.WithCancel(ctx)
	x := &slowStream{ClientStream: s, ctx: ctx, up: make(chan message.Request, 64), down: make(chan message.Response, 64)}
	random := rand.New(rand.NewPCG(l.seed, rand.Uint64()))
	context.AfterFunc(ctx, s.Close)
	go func() {
		defer cancel()
		for {
			select {
			case m := <-x.up:
				if l.pass(ctx, random) != nil || engine.pass(ctx, random) != nil || s.Send(m) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	other := rand.New(rand.NewPCG(l.seed, rand.Uint64()))
	go func() {
		defer cancel()
		for {
			m, err := s.Recv()
			if err != nil || engine.pass(ctx, other) != nil || l.pass(ctx, other) != nil {
				return
			}
			select {
			case x.down <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	x.ClientStream = closer{s, cancel}
	return x
}

type closer struct {
	message.ClientStream
	cancel context.CancelFunc
}

func (c closer) Close() { c.cancel(); c.ClientStream.Close() }

func (x *slowStream) Send(m message.Request) error {
	select {
	case x.up <- m:
		return nil
	case <-x.ctx.Done():
		return io.EOF
	}
}

func (x *slowStream) Recv() (message.Response, error) {
	select {
	case m := <-x.down:
		return m, nil
	case <-x.ctx.Done():
		return nil, io.EOF
	}
}
