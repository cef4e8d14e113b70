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
	// Pause is the least time between the beginnings of two fetches: it bounds
	// what tokens with invented key ids can cause. Default 5 s.
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
// it serves, makes any number of callers queue for its rate limit, and drops a
// whole set for one malformed key.
type Remote struct {
	fetch   Fetch
	options RemoteOptions
	logger  *slog.Logger

	ctx    context.Context //nolint:containedctx // of the fetches, which outlive the calls that asked
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu         sync.Mutex
	keys       map[string]Key
	fetchedAt  time.Time // of keys
	triedAt    time.Time // when the last fetch began
	answeredAt time.Time // when the last one that is over began
	failed     error     // of that one
	next       *fetching // that runs, or will; nil if none does
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
	r.mu.Lock()
	r.cancel() // look looks at this and starts under the same lock
	r.mu.Unlock()
	r.wg.Wait()
}

// Key implements Keys. A key that is not known may have been published after the
// last fetch: [ErrUnknownKey] is the answer only if a fetch that began after the
// call did not bring it. So a call waits for a fetch if its key is not known, at
// most Pause and what the fetch takes; or, with Fresh, if the set is due.
// It does not wait, and the error is [ErrKeysUnavailable], if the last fetch
// failed less than Pause ago, if its deadline is before the next one can begin,
// or if 1000 calls wait for that one: strangers who invent key ids cause no more
// than that.
func (r *Remote) Key(ctx context.Context, kid string) (string, crypto.PublicKey, error) {
	asked := time.Now()
	for first := true; ; first = false {
		k, next, err := r.look(ctx, kid, asked, first)
		if next == nil {
			return k.Algorithm, k.Public, err
		}
		if err := next.wait(ctx, k.Public != nil); err != nil {
			return "", nil, unavailable(err)
		}
	}
}

// look returns the key, or the fetch to wait for, with the key that counts if it
// takes too long, or why there is neither. Only the first look of a call waits
// for the fetch of a key that is known.
func (r *Remote) look(ctx context.Context, kid string, asked time.Time, first bool) (Key, *fetching, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	pause := r.pauseLocked(now)
	usable := r.keys != nil && now.Sub(r.fetchedAt) < r.options.MaxStale
	if k, ok := r.keys[kid]; ok && usable {
		if now.Sub(r.fetchedAt) >= r.options.Refresh && pause <= 0 {
			r.startLocked(0)
		}
		if first && r.options.Fresh && now.Sub(r.fetchedAt) >= r.options.Refresh {
			return k, r.next, nil
		}
		return k, nil, nil // it is fetched in the background
	}
	judged := !r.answeredAt.IsZero() && !r.answeredAt.Before(asked)
	begun := r.next != nil && r.next.begun
	switch {
	case r.ctx.Err() != nil:
		return Key{}, nil, unavailable(r.ctx.Err())
	case judged && r.failed == nil:
		return Key{}, nil, ErrUnknownKey
	case judged, r.failed != nil && (!first || r.next == nil && pause > 0): // whom a failure reached waits for no other one
		return Key{}, nil, unavailable(r.failed)
	case !begun && pause > 0 && ends(ctx, now.Add(pause)):
		return Key{}, nil, unavailable(errAskedBefore)
	}
	next := r.startLocked(pause)
	if !next.join() {
		return Key{}, nil, unavailable(errCrowd)
	}
	return Key{}, next, nil
}

// Why nothing is known of a key although the issuer answers.
var (
	errAskedBefore = errors.New("the issuer was asked a moment ago")
	errCrowd       = errors.New("too many wait until the issuer is asked again")
)

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrKeysUnavailable, err) }

// pauseLocked is how long no fetch may begin.
func (r *Remote) pauseLocked(now time.Time) time.Duration {
	if r.triedAt.IsZero() {
		return 0
	}
	return r.options.Pause - now.Sub(r.triedAt)
}

// ends says whether a call is over before then.
func ends(ctx context.Context, then time.Time) bool {
	deadline, ok := ctx.Deadline()
	return ok && deadline.Before(then)
}
