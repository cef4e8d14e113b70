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
		if c.front.slot(other) == c.front.slot(used) {
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

// Two tokens whose ends are alike share a slot of the front.
func TestTokensThatShareASlotAreBothFound(t *testing.T) {
	c, err := newCache(100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.kept.StopAllGoroutines()
	names := []string{"short", "a.b.signature", "other.b.signature"}
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
	if e := c.get("forged.b.signature"); e != nil {
		t.Errorf("forged: %+v", e)
	}
}
