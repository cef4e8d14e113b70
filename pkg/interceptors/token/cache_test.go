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
			defer c.StopAllGoroutines()
			for i := range 300 {
				c.Set(fmt.Sprintf("%0*d", tc.length, i), &entry{id: &identity.Identity{}, deadline: time.Now().Add(time.Minute)})
			}
			c.CleanUp()
			if n := c.EstimatedSize(); n > tc.most || n == 0 {
				t.Errorf("%d entries, want at most %d", n, tc.most)
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
