package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// ErrProtocol is returned by [Engine.Serve] if a watcher sent what it must not
// send.
var ErrProtocol = errors.New("feed: protocol violated by the watcher")

// Serve serves one stream of a watcher. principal is the authenticated name of
// the watcher's service. Serve returns nil when the watcher has left or closed
// the stream, else the reason why the stream ends; so does a stream without a
// Hello after 10 s. The caller must then end the stream, so that blocked sends
// and receives return.
func (e *Engine) Serve(ctx context.Context, principal string, s message.ServerStream) error {
	hello, err := awaitHello(ctx, s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	en, err := e.register(principal, hello, cancel)
	if err != nil {
		return err
	}
	defer e.closeStream(en)
	go func() { cancel(e.receive(en, s)) }()
	go func() { cancel(e.write(ctx, en, s)) }()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// helloTime is for how long a stream may stay without a Hello, so that streams
// that nobody counts do not add up.
const helloTime = 10 * time.Second

func awaitHello(ctx context.Context, s message.ServerStream) (message.Hello, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helloTime, fmt.Errorf("%w: no Hello within %v", ErrProtocol, helloTime))
	defer cancel()
	type first struct {
		hello message.Hello
		err   error
	}
	came := make(chan first, 1)
	go func() {
		hello, err := receiveHello(s)
		came <- first{hello, err}
	}()
	select {
	case f := <-came:
		return f.hello, f.err
	case <-ctx.Done():
		return message.Hello{}, context.Cause(ctx)
	}
}

func receiveHello(s message.ServerStream) (message.Hello, error) {
	m, err := s.Recv()
	if err != nil {
		return message.Hello{}, err
	}
	h, ok := m.(message.Hello)
	if !ok {
		return h, fmt.Errorf("%w: first message is %T", ErrProtocol, m)
	}
	if err := h.Check(); err != nil {
		return h, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return h, nil
}

// receive takes acknowledgements and requests for leases; it returns why the
// stream is over, io.EOF in good order.
func (e *Engine) receive(en *entry, s message.ServerStream) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case message.Renew:
			if m.AppliedSeq < 0 {
				return fmt.Errorf("%w: negative position", ErrProtocol)
			}
			e.renew(en, m)
		case message.Leave:
			e.leave(en)
			return io.EOF
		default:
			return fmt.Errorf("%w: unexpected %T", ErrProtocol, m)
		}
	}
}

// write sends what the entry has to send. There is no queue that could
// overflow: the stream reads the engine's rules from its own cursor on, so
// nothing is skipped, and what waits together is sent together. A watcher that
// takes nothing for too long loses the stream, not its registration.
func (e *Engine) write(ctx context.Context, en *entry, s message.ServerStream) error {
	watchdog := time.AfterFunc(time.Hour, func() { en.cancel(errSlow) })
	defer watchdog.Stop()
	watchdog.Stop()
	for {
		batch := e.next(en)
		for _, m := range batch {
			watchdog.Reset(e.cfg.sendTimeout())
			err := s.Send(m)
			watchdog.Stop()
			if err != nil {
				return err
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-en.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// partSize is the number of rules in one message: 5,000 rules of about 150
// bytes stay well below the 4 MB that gRPC takes by default.
const partSize = 5000

// next takes what is to be sent, in order: the rules above the cursor first,
// the grant behind them.
func (e *Engine) next(en *entry) []message.Response {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.generation == "" || en.closed {
		return nil // nothing was read from the store yet
	}
	var out []message.Response
	if !en.joined || en.cursor < e.known {
		i, _ := slices.BinarySearchFunc(e.rules, en.cursor, afterSeq)
		parts := split(e.rules[i:])
		for n, rules := range parts {
			last := n == len(parts)-1
			if !en.joined {
				out = append(out, message.Snapshot{Generation: e.generation, HeadSeq: e.known, Rules: rules, More: !last})
				continue
			}
			seq := e.known
			if !last {
				seq = rules[len(rules)-1].Seq
			}
			out = append(out, message.Events{Generation: e.generation, Rules: rules, Seq: seq})
		}
		en.joined = true
		en.cursor = max(en.cursor, e.known)
	}
	if en.grant != nil {
		out = append(out, *en.grant)
		en.grant = nil
	}
	if en.move {
		out = append(out, message.Move{})
		en.move = false
	}
	return out
}

// split cuts rules into parts, never between rules of one position. There is
// at least one part.
func split(rules []revocation.Rule) [][]revocation.Rule {
	parts := make([][]revocation.Rule, 0, len(rules)/partSize+1)
	for len(rules) > partSize {
		n := partSize
		for n < len(rules) && rules[n].Seq == rules[n-1].Seq {
			n++
		}
		if n == len(rules) {
			break
		}
		parts = append(parts, rules[:n:n])
		rules = rules[n:]
	}
	return append(parts, slices.Clip(rules))
}
