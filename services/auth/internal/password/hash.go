// Package password judges new passwords and hashes them with argon2id, so that
// checking one costs the same whether the account exists or not, and so that
// many checks at once cannot use up the memory of the process.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// ErrBusy says that as many checks wait for their turn as the Hasher admits.
var ErrBusy = errors.New("too many passwords wait to be checked")

// ErrHashInvalid says that a stored hash is not one that this package made.
var ErrHashInvalid = errors.New("stored password hash is invalid")

// waitersPerSlot bounds the queue: with 50 ms a check nobody waits longer than
// about a second and a half.
const waitersPerSlot = 32

// Hasher hashes and verifies with argon2id (RFC 9106). At most `concurrent`
// calls work at a time, each with the memory of its parameters. It is safe for
// concurrent use.
type Hasher struct {
	params Params
	slots  chan struct{}
	queue  chan struct{}
	// Hashes of new accounts take a place here too, and so at most half of all.
	newSlots chan struct{}
	newQueue chan struct{}
	decoy    hash
}

// New returns a Hasher. The error says which parameter is out of range.
func New(params Params, concurrent int) (*Hasher, error) {
	if err := params.validate(); err != nil {
		return nil, err
	}
	if concurrent < 1 {
		return nil, fmt.Errorf("password hashing: concurrency %d is below 1", concurrent)
	}
	h := &Hasher{
		params: params,
		slots:  make(chan struct{}, concurrent),
		queue:  make(chan struct{}, concurrent*(1+waitersPerSlot)),

		newSlots: make(chan struct{}, max(1, concurrent/2)),
		newQueue: make(chan struct{}, concurrent*(1+waitersPerSlot)/2),
	}
	h.decoy = hash{params: params, salt: make([]byte, saltLength), key: make([]byte, keyLength)}
	if _, err := rand.Read(h.decoy.key); err != nil {
		return nil, fmt.Errorf("password hashing: %w", err)
	}
	return h, nil
}

// Hash returns the PHC string of a password with a fresh salt. The error is
// ErrBusy, or that of ctx while waiting for a slot.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	out := hash{params: h.params, salt: make([]byte, saltLength)}
	if _, err := rand.Read(out.salt); err != nil {
		return "", fmt.Errorf("salt: %w", err)
	}
	var err error
	if out.key, err = h.derive(ctx, out, password); err != nil {
		return "", err
	}
	return out.String(), nil
}

// HashNew is Hash with at most half of the slots and of the queue, so that
// somebody who registers many accounts leaves room for checks of existing ones.
// Of a single slot it may use all, between the others.
func (h *Hasher) HashNew(ctx context.Context, password string) (string, error) {
	leave, err := enter(ctx, h.newQueue, h.newSlots)
	if err != nil {
		return "", err
	}
	defer leave()
	return h.Hash(ctx, password)
}

// Match is the verdict of Verify.
type Match struct {
	OK bool
	// Outdated: the password is right and its hash should be made again with
	// today's parameters.
	Outdated bool
}

// Verify compares a password with a stored PHC string. An empty one is that of
// an account that does not exist: it costs the same and never matches. The
// error is ErrBusy, ErrHashInvalid, or that of ctx while waiting for a slot.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (Match, error) {
	want, known := h.decoy, stored != ""
	if known {
		var err error
		if want, err = parse(stored); err != nil {
			return Match{}, err
		}
	}
	got, err := h.derive(ctx, want, password)
	if err != nil {
		return Match{}, err
	}
	ok := subtle.ConstantTimeCompare(got, want.key) == 1 && known
	return Match{OK: ok, Outdated: ok && want.params != h.params}, nil
}

func (h *Hasher) derive(ctx context.Context, with hash, password string) ([]byte, error) {
	leave, err := enter(ctx, h.queue, h.slots)
	if err != nil {
		return nil, err
	}
	defer leave()
	p := with.params
	return argon2.IDKey([]byte(normalize(password)), with.salt, p.Passes, p.MemoryKiB, p.Lanes, keyLength), nil
}

// enter takes a place in the queue or returns ErrBusy, and then waits for a slot.
func enter(ctx context.Context, queue, slots chan struct{}) (leave func(), err error) {
	select {
	case queue <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots; <-queue }, nil
	case <-ctx.Done():
		<-queue
		return nil, ctx.Err()
	}
}
