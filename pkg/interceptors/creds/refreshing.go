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

// Option changes a Refreshing.
type Option interface{ apply(*Refreshing) }

type optionFunc func(*Refreshing)

func (f optionFunc) apply(r *Refreshing) { f(r) }

// WithEarly sets how long before its end a token is renewed. Calls go on with
// the old one meanwhile. Default: a fifth of what was left when it was got, at
// most 30 s.
func WithEarly(d time.Duration) Option { return optionFunc(func(r *Refreshing) { r.early = d }) }

// WithTimeout bounds one renewal. Default 20 s, within the window in which the
// issuer repeats an answer that was lost.
func WithTimeout(d time.Duration) Option { return optionFunc(func(r *Refreshing) { r.timeout = d }) }

// WithPlaintext lets the token travel over a connection without TLS. Only for
// loopback and networks that are trusted as a whole.
func WithPlaintext() Option { return optionFunc(func(r *Refreshing) { r.plaintext = true }) }

const (
	defaultTimeout = 20 * time.Second
	maxEarly       = 30 * time.Second
	// retryEarly is the pause between early renewals that failed, while the
	// old token is still good.
	retryEarly = time.Second
)

// Refreshing holds the current token of one source. It implements
// credentials.PerRPCCredentials; use DialOptions, which also adds the retry
// after a refusal. Safe for concurrent use. Close it.
type Refreshing struct {
	source    TokenSource
	early     time.Duration
	timeout   time.Duration
	plaintext bool

	ctx    context.Context //nolint:containedctx // of the renewals, which outlive the calls that asked
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	current Token
	renewAt time.Time // when an early renewal is due; zero: never
	flight  *flight   // the renewal that runs, if one does
}

var _ credentials.PerRPCCredentials = (*Refreshing)(nil)

// flight is one renewal. done is closed when err is set.
type flight struct {
	done chan struct{}
	err  error
}

// NewRefreshing returns credentials that take tokens from source. Nothing is
// asked before the first call.
func NewRefreshing(source TokenSource, opts ...Option) *Refreshing {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Refreshing{source: source, timeout: defaultTimeout, ctx: ctx, cancel: cancel}
	for _, o := range opts {
		o.apply(r)
	}
	return r
}

// Close ends a running renewal and waits for it.
func (r *Refreshing) Close() {
	r.cancel()
	r.wg.Wait()
}

// Token returns a token that is good as far as the client knows. It waits for
// a renewal only if there is none.
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
		// A source may hand out tokens that are over already; the server
		// decides then, rather than a loop here.
		r.mu.Lock()
		t = r.current
		r.mu.Unlock()
		if t.Value != "" {
			return t, nil
		}
	}
}

// get returns the current token, or the renewal to wait for.
func (r *Refreshing) get(now time.Time) (Token, *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	usable := r.current.Value != "" && (r.current.ExpiresAt.IsZero() || now.Before(r.current.ExpiresAt))
	if !usable {
		return Token{}, r.renewLocked()
	}
	if !r.renewAt.IsZero() && !now.Before(r.renewAt) {
		r.renewAt = now.Add(retryEarly)
		r.renewLocked()
	}
	return r.current, nil
}

// Reject says that a server refused sent as expired or revoked. The next Token
// waits for a renewal, unless sent was replaced meanwhile.
func (r *Refreshing) Reject(sent token.Raw) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current.Value == sent {
		r.current = Token{}
	}
}

// renewLocked starts a renewal or joins the one that runs.
func (r *Refreshing) renewLocked() *flight {
	if r.flight != nil {
		return r.flight
	}
	f := &flight{done: make(chan struct{})}
	if r.ctx.Err() != nil {
		f.err = errors.New("creds: closed")
		close(f.done)
		return f
	}
	r.flight = f
	r.wg.Go(func() { r.renew(f) })
	return f
}

func (r *Refreshing) renew(f *flight) {
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout)
	defer cancel()
	t, err := r.source.Token(ctx)
	if err == nil && t.Value == "" {
		err = errors.New("the source gave an empty token")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		f.err = fmt.Errorf("creds: renew: %w", err)
	} else {
		r.current = t
		r.renewAt = r.due(t, time.Now())
	}
	r.flight = nil
	close(f.done)
}

// due is when t should be renewed.
func (r *Refreshing) due(t Token, now time.Time) time.Time {
	if t.ExpiresAt.IsZero() {
		return time.Time{}
	}
	early := r.early
	if early == 0 {
		early = min(t.ExpiresAt.Sub(now)/5, maxEarly)
	}
	return t.ExpiresAt.Add(-early)
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (r *Refreshing) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	t, err := r.Token(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	note(ctx, t.Value)
	return map[string]string{"authorization": "Bearer " + string(t.Value)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (r *Refreshing) RequireTransportSecurity() bool { return !r.plaintext }
