// Package attempt slows down whoever guesses passwords, and whoever has many
// of them hashed.
//
// Limiter counts failures per (account, network address) and per network address,
// never per account alone: somebody who knows an address of the shop's
// customer cannot lock that customer out, because the customer comes from
// elsewhere. An address is the one of the client, not of a proxy before it, and
// of IPv6 its first 64 bits, because one customer has all of the others.
// What it therefore does not stop is a guesser with very many network addresses;
// long passwords and the list of breached ones help there. Counts are kept by
// each replica for itself, in bounded memory.
package attempt

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
)

// Bounds of the counters.
const (
	maxEntries = 100_000
	// remember is when a record says nothing more: the longest one, of 116
	// failures, is halved to nothing in seven windows.
	remember = 8 * window
	// steps bounds the doubling; Step << steps is above the longest wait.
	steps = 16
)

// window is the time in which failures count half: who stops failing is soon
// free again, and a crowd behind one address may fail 50 times in it for ever.
const window = 15 * time.Minute

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
	since    time.Time // failures were last halved
	until    time.Time
}

// decayed is the record at now. It keeps the remainder of a window, so that
// failing often does not put the halving off.
func (r record) decayed(now time.Time) record {
	if r.since.IsZero() {
		r.since = now
	}
	if passed := max(now.Sub(r.since), 0); passed >= window {
		r.failures >>= min(passed/window, 62)
		r.since = now.Add(-passed % window)
	}
	return r
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
		ExpiryCalculator: otter.ExpiryWriting[key, record](remember),
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
		r = r.decayed(now)
		// Beyond the longest wait they say nothing more, and would take longer
		// to forget.
		r.failures = min(r.failures+1, free+steps)
		if over := r.failures - free; over >= 0 {
			r.until = now.Add(min(l.limits.Step<<over, longestWait))
		}
		return r, otter.WriteOp
	})
}

// Keys are hashes: bounded in size whatever the client sends, and no addresses
// of people in a memory dump.
func pair(account, address string) key {
	return sha256.Sum256([]byte("pair\x00" + network(address) + "\x00" + account))
}

func single(address string) key { return sha256.Sum256([]byte("address\x00" + network(address))) }

// network is what one customer has: an IPv4 address, or an IPv6 /64.
func network(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().String()
}
