// Package randomtest is what random tests have in common: how much they do, and from which seed.
package randomtest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Size is how often a test tries.
type Size struct {
	// CI is for every change, Race the same under the race detector, Soak where CURFEW_TEST_SIZE is soak.
	CI, Race, Soak int
}

// Now is the size of this run.
func (s Size) Now() int {
	switch {
	case os.Getenv("CURFEW_TEST_SIZE") == "soak":
		return s.Soak
	case raceEnabled:
		return s.Race
	default:
		return s.CI
	}
}

// Seed is random, or CURFEW_TEST_SEED to run a failure again. It is logged.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("CURFEW_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("CURFEW_TEST_SEED=%d", seed)
	return seed
}
