package token

import (
	"fmt"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

func TestTheCacheIsBoundedInEntriesAndInBytes(t *testing.T) {
	for name, tc := range map[string]struct{ entries, bytes, length, most int }{
		"entries": {10, 1 << 20, 500, 10},
		"bytes":   {100_000, 100 << 10, 9 << 10, 10},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := newCache(tc.entries, tc.bytes)
			if err != nil {
				t.Fatal(err)
			}
			defer c.kept.StopAllGoroutines()
			for i := range 300 {
				c.add(&entry{raw: fmt.Sprintf("%0*d", tc.length, i), id: &identity.Identity{}, deadline: time.Now().Add(time.Minute)})
			}
			c.kept.CleanUp()
			for i := range 300 {
				c.get(fmt.Sprintf("%0*d", tc.length, i)) // what is kept comes to the front
			}
			if n := c.kept.EstimatedSize(); n > tc.most || n == 0 {
				t.Errorf("%d entries, want at most %d", n, tc.most)
			}
			inFront := 0
			for i := range c.front.slots {
				if c.front.slots[i].Load() != nil {
					inFront++
				}
			}
			if inFront > tc.most || inFront == 0 {
				t.Errorf("%d entries in front, want at most %d", inFront, tc.most)
			}
		})
	}
}

func TestImpossibleCacheBoundsAreRefused(t *testing.T) {
	for _, o := range []Options{{CacheEntries: -1}, {CacheBytes: -1}, {CacheEntries: 100, CacheBytes: 10}} {
		if _, err := o.NewVerifier(); err == nil || err.Error() != "token verifier: cache bounds" {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// A token that is used all the time is found in front; the cache behind must
// not take it for one that nobody uses.
func TestATokenInUseStaysWhileOthersComeAndGo(t *testing.T) {
	c, err := newCache(100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.kept.StopAllGoroutines()
	add := func(raw string) {
		c.add(&entry{raw: raw, id: &identity.Identity{}, deadline: time.Now().Add(time.Minute)})
	}
	const used = "header.payload.signature in use"
	add(used)
	for i := range 2000 {
		if c.get(used) == nil {
			t.Fatalf("gone after %d others", i)
		}
		other := fmt.Sprintf("header.payload.signature %d", i)
		if c.front.slot(c.front.hash(other)) == c.front.slot(c.front.hash(used)) {
			continue // it would push the one in use out of the front
		}
		add(other)
		for range 4 {
			c.kept.GetIfPresent(other) // as if it were used, and not in front
		}
		c.kept.CleanUp()
	}
	if s := c.stats(); s.Hits != 2000 || s.Misses != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTokensThatShareASlotAreBothFound(t *testing.T) {
	c, err := newCache(100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.kept.StopAllGoroutines()
	slot := func(raw string) any { return c.front.slot(c.front.hash(raw)) }
	names := []string{"short", "a.b.signature"}
	for i := 0; len(names) < 4; i++ {
		if raw := fmt.Sprintf("other.%d.signature", i); slot(raw) == slot(names[len(names)%2]) {
			names = append(names, raw)
		}
	}
	for _, raw := range names {
		c.add(&entry{raw: raw, id: &identity.Identity{Subject: raw}, deadline: time.Now().Add(time.Minute)})
	}
	for range 3 {
		for _, raw := range names {
			if e := c.get(raw); e == nil || e.id.Subject != raw {
				t.Errorf("%s: %+v", raw, e)
			}
		}
	}
	c.get("unknown")
	if s := c.stats(); s.Hits != 12 || s.Misses != 1 {
		t.Errorf("%d hits and %d misses", s.Hits, s.Misses)
	}
}

// Equal hashes are no proof that it is the same token; different ones are, that
// it is not, and then no text is compared.
func TestATokenIsFoundInFrontByItsWholeTextOnly(t *testing.T) {
	c, err := newCache(100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.kept.StopAllGoroutines()
	const held, asked = "header.payload.signature", "forged.payload.signature"
	c.front.put(&entry{raw: held, hash: c.front.hash(asked)})
	if e := c.get(asked); e != nil {
		t.Errorf("another text of the same hash: %+v", e)
	}
	hash := c.front.hash(held)
	c.front.put(&entry{raw: held, hash: hash ^ 1}) // the same slot
	if e := c.get(held); e != nil {
		t.Errorf("another hash: %+v", e)
	}
	c.front.put(&entry{raw: held, hash: hash})
	if e := c.get(held); e == nil {
		t.Error("not found")
	}
}

// The cache tells of a deletion before it is visible: a call that has just found
// the entry must not put it back in front for good.
func TestAnEntryThatIsDeletedWhileItIsFoundDoesNotStayInFront(t *testing.T) {
	c, err := newCache(100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.kept.StopAllGoroutines()
	e := &entry{raw: "header.payload.signature", id: &identity.Identity{}, deadline: time.Now().Add(time.Minute)}
	c.add(e)
	c.deleted(e) // as the cache calls it, and the entry can still be found there
	if c.get(e.raw) != e {
		t.Fatal("not found")
	}
	if c.front.slot(e.hash).Load() != nil {
		t.Error("in front")
	}
}

// Who knows where the token of another lies could try texts against it.
func TestTheFrontsOfTwoProcessesHashDifferently(t *testing.T) {
	var a, b front
	a.init(100)
	b.init(100)
	const raw = "header.payload.signature"
	if a.hash(raw) == b.hash(raw) {
		t.Error("the hash has no key")
	}
	if a.hash(raw) == a.hash("H"+raw[1:]) {
		t.Error("the hash is of a part of the token")
	}
}
