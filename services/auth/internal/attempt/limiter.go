// Package attempt slows down whoever guesses passwords.
//
// It counts failures per (account, network address) and per network address,
// never per account alone: somebody who knows an address of the shop's
// customer cannot lock that customer out, because the customer comes from
// elsewhere. What it therefore does not stop is a guesser with very many
// network addresses; long passwords and the list of breached ones are what
// helps there. Counts are kept by each replica for itself, in bounded memory.
package attempt

import (
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"
)

// Bounds of the counters.
const (
	maxEntries = 100_000
	forget     = 15 * time.Minute
)

// Limits says how many failures are free and how the wait grows after them.
type Limits struct {
	// PerAccount is the number of free failures for one account from one
	// address. The next waits Step, the one after 2 Step, then 4 ... up to 5 min.
	PerAccount int
	// PerAddress is the number of free failures from one address for all
	// accounts together.
	PerAddress int
	// Step is the first wait.
	Step time.Duration
}

// Defaults are 5 failures per account and address, 100 per address, 1 s.
func Defaults() Limits { return Limits{PerAccount: 5, PerAddress: 100, Step: time.Second} }

// longestWait bounds the penalty, so that a mistake never costs a day.
const longestWait = 5 * time.Minute

type key [sha256.Size]byte

type record struct {
	failures int
	until    time.Time
}

// Limiter is safe for concurrent use.
type Limiter struct {
	limits  Limits
	now     func() time.Time
	records *otter.Cache[key, record]
}

// New returns a Limiter that reads the time from now.
func New(limits Limits, now func() time.Time) *Limiter {
	return &Limiter{limits: limits, now: now, records: otter.Must(&otter.Options[key, record]{
		MaximumSize:      maxEntries,
		ExpiryCalculator: otter.ExpiryWriting[key, record](forget),
	})}
}

// Wait says how long an attempt on account from address has to wait; 0 is now.
func (l *Limiter) Wait(account, address string) time.Duration {
	now := l.now()
	return max(l.left(pair(account, address), now), l.left(single(address), now), 0)
}

// Failed notes a wrong password.
func (l *Limiter) Failed(account, address string) {
	l.add(pair(account, address), l.limits.PerAccount)
	l.add(single(address), l.limits.PerAddress)
}

// Succeeded forgets the failures of the account from this address. Those of
// the address stay: its own account must not free a guesser.
func (l *Limiter) Succeeded(account, address string) {
	l.records.Invalidate(pair(account, address))
}

func (l *Limiter) left(k key, now time.Time) time.Duration {
	r, ok := l.records.GetIfPresent(k)
	if !ok {
		return 0
	}
	return r.until.Sub(now)
}

func (l *Limiter) add(k key, free int) {
	now := l.now()
	l.records.Compute(k, func(r record, _ bool) (record, otter.ComputeOp) {
		r.failures++
		if over := r.failures - free; over >= 0 {
			wait := longestWait
			if over < 16 {
				wait = min(l.limits.Step<<over, longestWait)
			}
			r.until = now.Add(wait)
		}
		return r, otter.WriteOp
	})
}

// Keys are hashes: bounded in size whatever the client sends, and no addresses
// of people in a memory dump.
func pair(account, address string) key {
	return sha256.Sum256([]byte("pair\x00" + address + "\x00" + account))
}

func single(address string) key { return sha256.Sum256([]byte("address\x00" + address)) }
