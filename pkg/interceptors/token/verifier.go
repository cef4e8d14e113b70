package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Options are the optional settings of a [Verifier].
type Options struct {
	// CacheEntries bounds the tokens in the cache. Default 100,000.
	CacheEntries int
	// CacheBytes bounds the memory of the cache. Default 128 MiB.
	CacheBytes int
	// Uncached is for tokens that are presented rarely and give access to much:
	// every token is verified each time, with the keys of that moment.
	Uncached bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Verifier verifies the tokens of one or more issuers. It is safe for
// concurrent use.
type Verifier struct {
	profiles map[string]*Profile
	cache    *cache
	now      func() time.Time
}

// NewVerifier returns a [Verifier] with the default [Options]. It fails if
// there is no profile, if two have the same issuer, or if one is invalid.
func NewVerifier(profiles ...Profile) (*Verifier, error) {
	return Options{}.NewVerifier(profiles...)
}

// NewVerifier is like the function [NewVerifier], with the settings of o.
func (o Options) NewVerifier(profiles ...Profile) (*Verifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := o.bound(); err != nil {
		return nil, err
	}
	if len(profiles) == 0 {
		return nil, errors.New("token verifier: no profile")
	}
	v := &Verifier{profiles: make(map[string]*Profile, len(profiles)), now: o.Now}
	for _, p := range profiles {
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("token profile %q: %w", p.Issuer, err)
		}
		if _, dup := v.profiles[p.Issuer]; dup {
			return nil, fmt.Errorf("token profile %q: given twice", p.Issuer)
		}
		v.profiles[p.Issuer] = &p
	}
	if !o.Uncached {
		cache, err := newCache(o.CacheEntries, o.CacheBytes)
		if err != nil {
			return nil, err
		}
		v.cache = cache
	}
	return v, nil
}

// bound sets the bounds of the cache, or sees that there are none.
func (o *Options) bound() error {
	if o.Uncached {
		if o.CacheEntries != 0 || o.CacheBytes != 0 {
			return errors.New("token verifier: bounds of no cache")
		}
		return nil
	}
	if o.CacheEntries == 0 {
		o.CacheEntries = 100_000
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 128 << 20
	}
	if o.CacheEntries < 0 || o.CacheBytes < o.CacheEntries {
		return errors.New("token verifier: cache bounds")
	}
	return nil
}

// Verify returns the identity that the token raw was issued to. The identity is
// shared with other calls and must not be changed. Errors wrap [ErrMalformed],
// [ErrExpired], [ErrWrongAudience] or [ErrKeysUnavailable]. Verify blocks only
// while it waits for the keys of the issuer, which ctx and the [Keys] bound.
//
// A cached token stays good when its issuer withdraws the key. To end such
// tokens before they expire, revoke the key (revocation.KindKey), or set
// Options.Uncached.
//
// Verify says nothing about revocation.
func (v *Verifier) Verify(ctx context.Context, raw string) (*identity.Identity, error) {
	if v.cache == nil {
		id, _, err := v.verify(ctx, raw)
		return id, err
	}
	if e := v.cache.get(raw); e != nil {
		// The cache drops expired entries when it likes; this is the check.
		if !v.now().Before(e.deadline) {
			return nil, ErrExpired
		}
		return e.id, nil
	}
	id, p, err := v.verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	// The text is cloned: it is a part of a larger buffer of the transport.
	v.cache.add(&entry{raw: strings.Clone(raw), id: id, deadline: id.ExpiresAt.Add(p.Leeway)})
	return id, nil
}

func (v *Verifier) verify(ctx context.Context, raw string) (*identity.Identity, *Profile, error) {
	c, err := parse(raw)
	if err != nil {
		return nil, nil, err
	}
	issuer, ok := c.claims["iss"].(string)
	if !ok {
		return nil, nil, malformed("no issuer")
	}
	p, ok := v.profiles[issuer]
	if !ok {
		return nil, nil, malformed("unknown issuer")
	}
	// Everything that needs no key comes before the look-up, which may go out
	// to the issuer.
	if !slices.Contains(p.Algorithms, c.header.alg) {
		return nil, nil, malformed("algorithm not allowed")
	}
	if !slices.Contains(p.Types, mediaType(c.header.typ)) {
		return nil, nil, malformed("type not allowed")
	}
	alg, key, err := p.Keys.Key(ctx, c.header.kid)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return nil, nil, malformed("unknown key")
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	case alg != c.header.alg:
		return nil, nil, malformed("algorithm is not the one of the key")
	}
	if err := verify(alg, key, c.signed, c.signature); err != nil {
		return nil, nil, err
	}
	id, err := claims{members: c.claims, profile: p, now: v.now()}.identity(c.header.kid)
	return id, p, err
}

// mediaType is the short lower-case form of a `typ` (RFC 7515 4.1.9).
func mediaType(typ string) string {
	typ = strings.ToLower(typ)
	return strings.TrimPrefix(typ, "application/")
}

// Stats returns the counters of the cache; they are zero if there is none.
func (v *Verifier) Stats() Stats {
	if v.cache == nil {
		return Stats{}
	}
	return v.cache.stats()
}

// Close ends the goroutine of the cache. A Verifier that lives as long as its
// process need not be closed.
func (v *Verifier) Close() {
	if v.cache != nil {
		v.cache.kept.StopAllGoroutines()
	}
}

// Describe lists the profiles, one per line, ordered by issuer.
func (v *Verifier) Describe() string {
	lines := make([]string, 0, len(v.profiles))
	for _, p := range v.profiles {
		lines = append(lines, p.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
