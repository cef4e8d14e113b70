package creds

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Option is an optional setting of [NewRefreshing].
type Option interface{ apply(*Refreshing) }

type optionFunc func(*Refreshing)

func (f optionFunc) apply(r *Refreshing) { f(r) }

// WithEarly sets how long before a token expires it is renewed. Calls go on
// with the old token meanwhile, and a renewal that fails is tried again at most
// once a second. Default: a fifth of the life that the token had left when it
// came, at most 30 s.
func WithEarly(d time.Duration) Option { return optionFunc(func(r *Refreshing) { r.early = d }) }

// WithPlaintext allows the token to be sent over a connection without TLS. Use
// it on loopback and on networks that are trusted as a whole.
func WithPlaintext() Option { return optionFunc(func(r *Refreshing) { r.plaintext = true }) }

const (
	renewalTimeout = retryFor + attemptTimeout // what a Session takes at most
	maxEarly       = 30 * time.Second
	// retryEarly is the least time between early renewals, also where they fail,
	// or bring what has little time left.
	retryEarly = time.Second
)

// errClosed is what calls get after Close.
var errClosed = errors.New("creds: closed")

// Refreshing holds the current token of one [TokenSource]. It implements
// credentials.PerRPCCredentials, but use [Dial], or [Refreshing.DialOptions],
// which also repeat a call whose token was refused. It is safe for concurrent
// use. Close it when it is no longer needed.
type Refreshing struct {
	source    TokenSource
	early     time.Duration
	plaintext bool

	ctx    context.Context //nolint:containedctx // of the renewals, which outlive the calls that asked
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	current Token
	renewAt time.Time // when an early renewal is due; zero: never
	flight  *flight   // the renewal that runs, if one does
	begun   int       // renewals
	pause   pause     // after renewals that failed
}

var _ credentials.PerRPCCredentials = (*Refreshing)(nil)

// flight is one renewal. done is closed when err is set.
type flight struct {
	done   chan struct{}
	err    error
	number int
	// refused is the token that was current until a server refused it while the
	// renewal ran: a source that gives the same one is asked again.
	refused token.Raw
}

// NewRefreshing returns credentials that take tokens from source. Nothing is
// asked before the first call. It panics if source is nil.
func NewRefreshing(source TokenSource, opts ...Option) *Refreshing {
	required("NewRefreshing", source)
	ctx, cancel := context.WithCancel(context.Background())
	r := &Refreshing{source: source, ctx: ctx, cancel: cancel}
	for _, o := range opts {
		o.apply(r)
	}
	return r
}

// Close ends a running renewal and waits for it. Later calls that need one
// fail.
func (r *Refreshing) Close() {
	r.mu.Lock()
	r.cancel() // renewLocked looks at this and begins under the same lock
	r.mu.Unlock()
	r.wg.Wait()
}

// Token returns the current token. If there is none, or a server refused it,
// Token waits for a renewal, until ctx ends. An error for which [SignedOut] is
// true means that the session is over.
func (r *Refreshing) Token(ctx context.Context) (Token, error) {
	for {
		t, f := r.get(time.Now())
		if f == nil {
			return t, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Token{}, fmt.Errorf("creds: waiting for a token: %w", context.Cause(ctx))
		}
		if f.err != nil {
			return Token{}, f.err
		}
	}
}

// get returns the current token, or the renewal to wait for.
func (r *Refreshing) get(now time.Time) (Token, *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	usable := r.current.Value != "" && (r.current.ExpiresAt.IsZero() || now.Before(r.current.ExpiresAt))
	if !usable {
		return Token{}, r.renewLocked(now)
	}
	if !r.renewAt.IsZero() && !now.Before(r.renewAt) {
		r.renewAt = now.Add(retryEarly)
		r.renewLocked(now)
	}
	return r.current, nil
}

// Reject reports that a server refused the token sent as expired or revoked.
// Unless it was replaced meanwhile, the next Token waits for a renewal. Calls
// over [Refreshing.DialOptions] do this by themselves.
func (r *Refreshing) Reject(sent token.Raw) { r.reject(sent) }

// reject returns how many renewals had begun by now: none of them knows of
// what was refused.
func (r *Refreshing) reject(sent token.Raw) (begun int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current.Value == sent {
		r.current = Token{}
		if f := r.flight; f != nil {
			f.refused = sent
		}
	}
	return r.begun
}

// renewLocked starts a renewal or joins the one that runs.
func (r *Refreshing) renewLocked(now time.Time) *flight {
	if r.flight != nil {
		return r.flight
	}
	f := &flight{done: make(chan struct{})}
	if r.ctx.Err() != nil {
		f.err = errClosed
	} else {
		f.err = r.pause.refuses(now)
	}
	if f.err != nil {
		close(f.done)
		return f
	}
	r.flight = f
	r.begun++
	f.number = r.begun
	wait := r.pause.left(now)
	r.wg.Go(func() { r.renew(f, wait) })
	return f
}

func (r *Refreshing) renew(f *flight, wait time.Duration) {
	t, err := r.ask(f, wait)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil:
		r.pause = pause{}
		t.renewal = f.number
		r.keep(t, now)
	case r.ctx.Err() != nil:
		f.err = errClosed
	default:
		f.err = fmt.Errorf("creds: renew: %w", err)
		r.pause.failed(f.err, now)
	}
	r.flight = nil
	close(f.done)
}

// ask gets a token from the source, once more if the one that it gave was
// refused meanwhile.
func (r *Refreshing) ask(f *flight, wait time.Duration) (Token, error) {
	if err := sleep(r.ctx, wait); err != nil {
		return Token{}, err
	}
	ctx, cancel := context.WithTimeout(r.ctx, renewalTimeout)
	defer cancel()
	for again := false; ; again = true {
		t, err := r.source.Token(ctx)
		if err == nil && t.Value == "" {
			err = errors.New("the source gave an empty token")
		}
		if err != nil || again || !r.wasRefused(f, t.Value) {
			return t, err
		}
	}
}

func (r *Refreshing) wasRefused(f *flight, value token.Raw) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f.refused == value
}

// keep makes t the current token. One that is over on arrival is a matter of
// clocks, here or at the issuer, or of a file that nobody writes any more: the
// server decides about it. It is renewed now and then and not for every call.
func (r *Refreshing) keep(t Token, now time.Time) {
	switch {
	case t.ExpiresAt.IsZero():
		r.renewAt = time.Time{}
	case !now.Before(t.ExpiresAt):
		t.ExpiresAt = time.Time{}
		r.renewAt = now.Add(maxEarly)
	default:
		early := r.early
		if early == 0 {
			early = min(t.ExpiresAt.Sub(now)/5, maxEarly)
		}
		r.renewAt = t.ExpiresAt.Add(-early)
		if least := now.Add(retryEarly); r.renewAt.Before(least) {
			r.renewAt = least
		}
	}
	r.current = t
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (r *Refreshing) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	t, err := r.Token(ctx)
	if err != nil {
		return nil, statusOf(ctx, err)
	}
	note(ctx, t)
	return map[string]string{"authorization": "Bearer " + string(t.Value)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (r *Refreshing) RequireTransportSecurity() bool { return !r.plaintext }
