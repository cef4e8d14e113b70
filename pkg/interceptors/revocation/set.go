package revocation

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Set is an immutable set of rules. The zero Set is empty. It may be used by
// any number of goroutines; [Set.With] and [Set.Expire] return a new set, which
// shares what did not change.
//
// A set is a table by hash with two levels, whose leaves are sorted slices
// without pointers. A rule takes 32 bytes, the garbage collector has nothing to
// follow, and adding a rule to a million others copies a few kilobytes. A rule
// is stored as 128 bits of a hash with a random key, not as text: a collision
// is too improbable to matter, and nobody can provoke one.
type Set struct {
	root  [fan]*node
	count [kinds]int
}

const (
	fanBits = 6
	fan     = 1 << fanBits
)

type node struct{ leaf [fan][]entry }

// entry is one rule. Equal h1 and h2 mean the same target.
type entry struct {
	h1, h2 uint64
	// value is the epoch of KindSubjectEpoch, the end of KindSubjectBlock in
	// microseconds since the Unix epoch, rounded up: nanoseconds end in the year
	// 2262.
	value int64
	// keep is when the entry may be forgotten, in seconds since the Unix
	// epoch, rounded up; the low 3 bits hold the kind.
	keep int64
}

const kindBits = 3

func (e entry) kind() Kind { return Kind(e.keep & (1<<kindBits - 1)) }

// The keys of the hash differ in every process, so nobody can prepare ids
// that collide.
var (
	seed1 = maphash.MakeSeed()
	seed2 = maphash.MakeSeed()
)

func hash(seed maphash.Seed, k Kind, issuer, id string) uint64 {
	return mix(maphash.String(seed, issuer), k, maphash.String(seed, id))
}

// mix is hash of texts whose hashes are known.
func mix(a uint64, k Kind, b uint64) uint64 {
	a += uint64(k) * 0x9e3779b97f4a7c15
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return hi ^ lo ^ bits.RotateLeft64(a, 32) ^ b
}

func first(h uint64) uint64  { return h >> (64 - fanBits) }
func second(h uint64) uint64 { return h >> (64 - 2*fanBits) & (fan - 1) }

// With returns the union of the set and rules. Of rules for the same target the
// highest epoch, the latest end of a block and the latest KeepUntil count. The
// rules must be valid ([Rule.Validate]); With does not check them. s may be
// nil, which is the empty set.
func (s *Set) With(rules ...Rule) *Set {
	added := make([]entry, 0, len(rules))
	for _, r := range rules {
		e := entry{h1: hash(seed1, r.Kind, r.Issuer, r.ID), h2: hash(seed2, r.Kind, r.Issuer, r.ID)}
		switch r.Kind {
		case KindSubjectEpoch:
			e.value = r.Epoch
		case KindSubjectBlock:
			e.value = r.Until.Add(time.Microsecond - 1).UnixMicro()
		}
		e.keep = (r.ForgetAfter().Unix()+1)<<kindBits | int64(r.Kind)
		added = append(added, e)
	}
	slices.SortFunc(added, compare)
	next := &Set{}
	if s != nil {
		*next = *s
	}
	for len(added) > 0 {
		i := first(added[0].h1)
		n := &node{}
		if old := next.root[i]; old != nil {
			*n = *old
		}
		next.root[i] = n
		for len(added) > 0 && first(added[0].h1) == i {
			j := second(added[0].h1)
			end := 1
			for end < len(added) && first(added[end].h1) == i && second(added[end].h1) == j {
				end++
			}
			n.leaf[j] = next.merge(n.leaf[j], added[:end])
			added = added[end:]
		}
	}
	return next
}

// merge returns the union of two sorted slices and counts what is new.
func (s *Set) merge(old, added []entry) []entry {
	out := make([]entry, 0, len(old)+len(added))
	for len(old) > 0 || len(added) > 0 {
		var e entry
		isNew := false
		if len(added) == 0 || len(old) > 0 && compare(old[0], added[0]) <= 0 {
			e, old = old[0], old[1:]
		} else {
			e, added, isNew = added[0], added[1:], true
		}
		if last := len(out) - 1; last >= 0 && compare(out[last], e) == 0 {
			out[last].value = max(out[last].value, e.value)
			out[last].keep = max(out[last].keep, e.keep)
			continue
		}
		if isNew {
			s.count[e.kind()]++
		}
		out = append(out, e)
	}
	return out
}

// Expire returns the set without the rules that may be forgotten at now
// ([Rule.ForgetAfter]). If there are none, it returns s.
func (s *Set) Expire(now time.Time) *Set {
	limit := now.Unix() << kindBits
	var next *Set
	for i, n := range s.root {
		if n == nil {
			continue
		}
		var fresh *node
		for j, leaf := range n.leaf {
			if !slices.ContainsFunc(leaf, func(e entry) bool { return e.keep < limit }) {
				continue
			}
			if next == nil {
				next = &Set{root: s.root, count: s.count}
			}
			if fresh == nil {
				fresh = &node{leaf: n.leaf}
				next.root[i] = fresh
			}
			kept := make([]entry, 0, len(leaf))
			for _, e := range leaf {
				if e.keep < limit {
					next.count[e.kind()]--
					continue
				}
				kept = append(kept, e)
			}
			fresh.leaf[j] = kept
		}
	}
	if next == nil {
		return s
	}
	return next
}

// Len returns the number of rules.
func (s *Set) Len() int {
	n := 0
	for _, c := range s.count {
		n += c
	}
	return n
}

// Revokes reports whether a rule of the set revokes the token of id at now. It
// does not allocate. A claim that the token does not have is empty in id and
// matches no rule.
func (s *Set) Revokes(id *identity.Identity, now time.Time) bool {
	issuer := maphash.String(seed1, id.Issuer)
	if s.count[KindSubjectEpoch] > 0 {
		if epoch, ok := s.find(KindSubjectEpoch, issuer, id.Issuer, id.Subject); ok && id.Epoch < epoch {
			return true
		}
	}
	if s.has(KindSession, issuer, id.Issuer, id.SessionID) || s.has(KindToken, issuer, id.Issuer, id.TokenID) ||
		s.has(KindKey, issuer, id.Issuer, id.KeyID) {
		return true
	}
	if s.count[KindIssuer] > 0 {
		if _, ok := s.find(KindIssuer, issuer, id.Issuer, ""); ok {
			return true
		}
	}
	if s.count[KindSubjectBlock] > 0 {
		if until, ok := s.find(KindSubjectBlock, issuer, id.Issuer, id.Subject); ok && now.UnixMicro() < until {
			return true
		}
	}
	return false
}

func (s *Set) has(k Kind, hashed uint64, issuer, id string) bool {
	if s.count[k] == 0 || id == "" {
		return false
	}
	_, ok := s.find(k, hashed, issuer, id)
	return ok
}

// find looks for a target; hashed is the issuer's hash. The second half of the
// hash is computed only when the first one matches, which is rare.
func (s *Set) find(k Kind, hashed uint64, issuer, id string) (int64, bool) {
	h1 := mix(hashed, k, maphash.String(seed1, id))
	n := s.root[first(h1)]
	if n == nil {
		return 0, false
	}
	leaf := n.leaf[second(h1)]
	lo, hi := 0, len(leaf)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); leaf[mid].h1 < h1 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; lo < len(leaf) && leaf[lo].h1 == h1; lo++ {
		if leaf[lo].h2 == hash(seed2, k, issuer, id) {
			return leaf[lo].value, true
		}
	}
	return 0, false
}

func compare(a, b entry) int {
	return cmp.Or(cmp.Compare(a.h1, b.h1), cmp.Compare(a.h2, b.h2))
}
