package token

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Fetch returns a JWK Set as JSON: [Discover] and [HTTP] return one, or write a
// function that calls a GetJwks RPC. ctx bounds it.
type Fetch func(ctx context.Context) ([]byte, error)

// RemoteOptions are the settings of Remote that have a default.
type RemoteOptions struct {
	// Refresh is the age from which the set is fetched again, in the background,
	// when a key is asked for. Default 5 min.
	Refresh time.Duration
	// Pause is the least time between two fetches: it bounds what tokens with
	// invented key ids can cause. Default 5 s.
	Pause time.Duration
	// MaxStale is how long keys are used after the last successful fetch: an
	// outage of the issuer must not be an outage of its tokens, nor make a
	// withdrawn key eternal. Default 24 h.
	MaxStale time.Duration
	// Timeout of one fetch. Default 10 s.
	Timeout time.Duration
	// Fresh is for tokens that are seen rarely and open much: whoever asks for a
	// key when the set is older than Refresh waits for the next one, so that the
	// first token after a long time is not judged by what was shown then. An
	// issuer that gives none within 2 s is taken for an outage.
	Fresh bool
}

// freshWait is how long a key that is known waits for a set that is fresh.
const freshWait = 2 * time.Second

func (o RemoteOptions) withDefaults() RemoteOptions {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&o.Refresh, 5*time.Minute)
	set(&o.Pause, 5*time.Second)
	set(&o.MaxStale, 24*time.Hour)
	set(&o.Timeout, 10*time.Second)
	return o
}

// Remote is the keys of an issuer that publishes them. It fetches when it is
// asked, at most one fetch at a time; Close ends a running one.
//
// It is not jwkset's HTTP client because that has no bound for the age of what
// it serves, makes callers queue for its rate limit, and drops a whole set for
// one malformed key.
type Remote struct {
	fetch   Fetch
	options RemoteOptions
	logger  *slog.Logger

	ctx    context.Context //nolint:containedctx // of the fetches, which outlive the calls that asked
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	keys      map[string]Key
	fetchedAt time.Time // of keys
	triedAt   time.Time
	failed    error         // of the last fetch
	running   chan struct{} // closed when the fetch that runs is over
}

// NewRemote returns the keys that fetch gives. Nothing is fetched before the
// first token comes.
func NewRemote(fetch Fetch, logger *slog.Logger, options RemoteOptions) (*Remote, error) {
	if fetch == nil || logger == nil {
		return nil, errors.New("remote keys: fetch and logger are required")
	}
	if min(options.Refresh, options.Pause, options.MaxStale, options.Timeout) < 0 {
		return nil, errors.New("remote keys: negative duration")
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Remote{fetch: fetch, options: options.withDefaults(), logger: logger, ctx: ctx, cancel: cancel}, nil
}

// Close ends a running fetch and waits for it. Keys that are known stay usable.
func (r *Remote) Close() {
	r.cancel()
	r.wg.Wait()
}

// Key implements Keys. It waits for a fetch only if the last one is longer ago
// than Pause and the key is not known, or with Fresh the set is due.
func (r *Remote) Key(ctx context.Context, kid string) (string, crypto.PublicKey, error) {
	k, running, err := r.look(kid, time.Now(), true)
	if running == nil {
		return k.Algorithm, k.Public, err
	}
	var patience <-chan time.Time // without an end if there is nothing else to judge by
	if k.Public != nil {
		timer := time.NewTimer(freshWait)
		defer timer.Stop()
		patience = timer.C
	}
	select {
	case <-running:
	case <-patience:
	case <-ctx.Done():
		return "", nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, context.Cause(ctx))
	}
	k, _, err = r.look(kid, time.Now(), false)
	return k.Algorithm, k.Public, err
}

// look returns the key, or the fetch to wait for, with the key that counts if it
// takes too long, or why there is neither. One
// call waits for one fetch: start is false after that.
func (r *Remote) look(kid string, now time.Time, start bool) (Key, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	usable := r.keys != nil && now.Sub(r.fetchedAt) < r.options.MaxStale
	if k, ok := r.keys[kid]; ok && usable {
		var running <-chan struct{}
		if now.Sub(r.fetchedAt) >= r.options.Refresh {
			running = r.startLocked(now)
		}
		if !start || !r.options.Fresh {
			running = nil // it is fetched in the background
		}
		return k, running, nil
	}
	if start {
		if running := r.startLocked(now); running != nil {
			return Key{}, running, nil
		}
	}
	// The issuer answered a moment ago and does not have the key; or nobody
	// knows whether it has.
	if usable && r.failed == nil {
		return Key{}, nil, ErrUnknownKey
	}
	return Key{}, nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, errors.Join(r.failed, r.ctx.Err()))
}

// startLocked starts or joins a fetch. It is nil if the last one is too near.
func (r *Remote) startLocked(now time.Time) <-chan struct{} {
	if r.running != nil {
		return r.running
	}
	if (!r.triedAt.IsZero() && now.Sub(r.triedAt) < r.options.Pause) || r.ctx.Err() != nil {
		return nil
	}
	r.triedAt = now
	running := make(chan struct{})
	r.running = running
	r.wg.Go(func() { r.run(running) })
	return running
}

func (r *Remote) run(running chan struct{}) {
	ctx, cancel := context.WithTimeout(r.ctx, r.options.Timeout)
	defer cancel()
	keys, err := r.load(ctx)
	if err != nil {
		r.logger.LogAttrs(ctx, slog.LevelWarn, "signing keys not refreshed", slog.String("error", err.Error()))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
	if err == nil {
		r.keys, r.fetchedAt = keys, time.Now()
	}
	r.running = nil
	close(running)
}

func (r *Remote) load(ctx context.Context) (map[string]Key, error) {
	data, err := r.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch jwk set: %w", err)
	}
	list, err := ParseSet(data)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]Key, len(list))
	for _, k := range list {
		keys[k.ID] = k
	}
	return keys, nil
}
