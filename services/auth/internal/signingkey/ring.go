// Package signingkey keeps the keys that sign access tokens: made here, stored
// encrypted, the same for all replicas and after every restart, and replaced
// while the service runs.
//
// There are always two: the primary signs, and the standby is shown, so that it
// may become primary at once. It does so only when every replica was seen to
// know it for a while. A replica relies on what it has read of the keys for
// [Lease] at most: after that it asks again before it signs, or says of a key
// that there is none. So no replica calls a token of a new key malformed, however
// long it stood still.
package signingkey

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Lease is how long the row of a replica in the database counts: for so long
// no key that the replica does not know becomes primary.
const Lease = 15 * time.Second

// drift bounds how fast two clocks may drift apart, as in the feed.
const drift = 0.01

// refreshLimit bounds one look at the database.
const refreshLimit = 5 * time.Second

// ErrUnavailable says that this replica does not know the keys of this moment.
var ErrUnavailable = errors.New("signing keys unavailable")

// Reader names a replica. Incarnation is random per process.
type Reader struct{ Replica, Incarnation string }

// Store keeps the keys. Every method is one transaction.
type Store interface {
	// EnsurePrimary adds the candidate as primary if there is no primary yet; of
	// replicas that start at the same moment, one decides.
	EnsurePrimary(ctx context.Context, candidate Stored) error
	// Publish notes that the reader verifies with the keys known, and COMMITS.
	Publish(ctx context.Context, reader Reader, known []string) error
	// Keys returns all keys that are shown, as of a moment after the call began.
	Keys(ctx context.Context) ([]Stored, error)
	// EnsureStandby adds the candidate as standby if there is none.
	EnsureStandby(ctx context.Context, candidate Stored) error
	// NoteKnown notes that all replicas know the standby, if they do.
	NoteKnown(ctx context.Context) error
	// RotateAfter makes the standby primary if the primary is older than age and
	// the standby is ready after announce; it says whether it did.
	RotateAfter(ctx context.Context, age, announce time.Duration) (bool, error)
}

// Config is what a Ring is made of. All is required but Rotation and Revoked.
type Config struct {
	Store  Store
	Sealer Sealer
	Reader Reader
	Clock  leaseclock.Clock
	Log    *slog.Logger
	// Announce is how long a key is known everywhere before it may sign: longer
	// than verifiers take to find it.
	Announce time.Duration
	// Rotation is the age at which the primary is replaced; zero is never.
	Rotation time.Duration
	// Revoked says whether the tokens of a key are refused by what this process
	// has heard. Such a key signs nothing here from that moment.
	Revoked func(kid string) bool
}

// Ring is the keys as this replica knows them. It is safe for concurrent use.
type Ring struct {
	cfg Config
	set atomic.Pointer[set]
	// refreshing holds one element while a refresh runs.
	refreshing chan struct{}
}

var _ token.Keys = (*Ring)(nil)

// set is the keys as of one refresh. It is immutable.
type set struct {
	all     []Public
	private ed25519.PrivateKey // of the primary
	primary string
	standby bool               // there is one
	asked   leaseclock.Instant // the read began
	until   leaseclock.Instant
}

// Open makes the first key if there is none, and reads the keys. It fails if
// the keyset cannot open the primary: a service that made another one would
// split from its siblings.
func Open(ctx context.Context, cfg Config) (*Ring, error) {
	candidate, err := generate(cfg.Sealer)
	if err != nil {
		return nil, err
	}
	if err := cfg.Store.EnsurePrimary(ctx, candidate); err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	r := &Ring{cfg: cfg, refreshing: make(chan struct{}, 1)}
	r.set.Store(&set{})
	if err := r.Refresh(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Primary returns the key that signs, and its id. The error is ErrUnavailable.
func (r *Ring) Primary(ctx context.Context) (id string, key ed25519.PrivateKey, err error) {
	s, err := r.current(ctx)
	if err != nil {
		return "", nil, err
	}
	return s.primary, s.private, nil
}

// All returns every key that is shown. Treat it as read-only. The error is
// ErrUnavailable: a set that lacks a key would be taken for the whole. So it is
// read again when the primary is refused here: it has a successor, which may be
// new to this replica.
func (r *Ring) All(ctx context.Context) ([]Public, error) {
	s, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.all, nil
}

// Key implements token.Keys. What is known is known; that there is no such key
// is said only by a read that began after the call: in an emergency a key signs
// that this replica was not asked about.
func (r *Ring) Key(ctx context.Context, kid string) (string, crypto.PublicKey, error) {
	if k, ok := r.set.Load().find(kid); ok {
		return Algorithm, k, nil
	}
	s, err := r.since(ctx, r.cfg.Clock.Now())
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", token.ErrKeysUnavailable, err)
	}
	if k, ok := s.find(kid); ok {
		return Algorithm, k, nil
	}
	return "", nil, token.ErrUnknownKey
}

func (r *Ring) revoked(kid string) bool { return r.cfg.Revoked != nil && r.cfg.Revoked(kid) }

// good says whether a set may be relied on, and its primary is not refused here.
func (r *Ring) good(s *set) bool { return r.fresh(s) && !r.revoked(s.primary) }

// current returns a good set, after a refresh if necessary.
func (r *Ring) current(ctx context.Context) (*set, error) {
	if s := r.set.Load(); r.good(s) {
		return s, nil
	}
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.leave()
	if s := r.set.Load(); r.good(s) {
		return s, nil // whoever was here before has asked
	}
	if err := r.refresh(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s := r.set.Load()
	if !r.good(s) {
		return nil, ErrUnavailable
	}
	return s, nil
}

// readPause is the least time between two reads that tokens with invented key
// ids can cause. Such calls wait for the next one together.
const readPause = 250 * time.Millisecond

// since returns a set whose read began after a moment.
func (r *Ring) since(ctx context.Context, moment leaseclock.Instant) (*set, error) {
	if wait := readPause - (moment.Boot - r.set.Load().asked.Boot); wait > 0 {
		pause := time.NewTimer(wait)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
	}
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.leave()
	if s := r.set.Load(); s.asked.Boot > moment.Boot {
		return s, nil // whoever was here before has asked
	}
	if err := r.refresh(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return r.set.Load(), nil
}

func (r *Ring) fresh(s *set) bool { return !s.until.Over(r.cfg.Clock.Now()) }

// Refresh reads the keys again. If it fails the ones that were known stay, for
// as long as they may.
func (r *Ring) Refresh(ctx context.Context) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.leave()
	return r.refresh(ctx)
}

func (r *Ring) enter(ctx context.Context) error {
	select {
	case r.refreshing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

func (r *Ring) leave() { <-r.refreshing }

// refresh announces itself, and reads after that has committed: a key that
// became primary without asking this replica was there to be read.
func (r *Ring) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	old := r.set.Load()
	asked := r.cfg.Clock.Now()
	if err := r.cfg.Store.Publish(ctx, r.cfg.Reader, old.ids()); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	stored, err := r.cfg.Store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	next, err := r.open(ctx, stored)
	if err != nil {
		return err
	}
	next.asked = asked
	next.until = asked.Add(leaseclock.Shorten(Lease, drift))
	r.set.Store(next)
	if next.covers(old) && old.covers(next) {
		return nil
	}
	if old.primary != next.primary {
		r.cfg.Log.InfoContext(ctx, "signing key", slog.String("kid", next.primary))
	}
	// Said at once, so that a new key is soon known to be known.
	if err := r.cfg.Store.Publish(ctx, r.cfg.Reader, next.ids()); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	return nil
}

// open reads the keys. A standby that this process cannot open is left out, so
// that it does not become primary; without the primary there is no set.
func (r *Ring) open(ctx context.Context, stored []Stored) (*set, error) {
	s := &set{}
	for _, k := range stored {
		public, private, err := unseal(k, r.cfg.Sealer)
		if err != nil && k.State == Standby {
			r.cfg.Log.ErrorContext(ctx, "the next signing key is unusable here", slog.Any("error", err))
			s.standby = true
			continue
		}
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, public)
		switch k.State {
		case Primary:
			s.primary, s.private = public.ID, private
		case Standby:
			s.standby = true
		}
	}
	if s.private == nil {
		return nil, errors.New("no primary signing key")
	}
	return s, nil
}

func (s *set) find(kid string) (ed25519.PublicKey, bool) {
	for _, k := range s.all {
		if k.ID == kid {
			return k.Key, true
		}
	}
	return nil, false
}

func (s *set) ids() []string {
	ids := make([]string, len(s.all))
	for i, k := range s.all {
		ids[i] = k.ID
	}
	return ids
}

func (s *set) covers(o *set) bool {
	for _, k := range o.all {
		if _, ok := s.find(k.ID); !ok {
			return false
		}
	}
	return s.primary == o.primary
}
