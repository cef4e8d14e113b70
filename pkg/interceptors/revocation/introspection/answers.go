package introspection

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

const defaultEntries = 100_000

// answer is what the issuer said about one token.
type answer struct {
	active bool
	at     leaseclock.Instant // when it was asked
	end    time.Time          // of the token
}

// answers are the last ones by the hash of the token: nothing that could be
// presented is kept. A nil *answers keeps nothing.
type answers struct {
	cache *otter.Cache[[sha256.Size]byte, answer]
}

func newAnswers(entries int) (*answers, error) {
	if entries == 0 {
		entries = defaultEntries
	}
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, answer]{
		MaximumSize: entries,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[[sha256.Size]byte, answer]) time.Duration {
			return time.Until(e.Value.end)
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("introspection: %w", err)
	}
	return &answers{cache}, nil
}

func (a *answers) get(raw token.Raw) (answer, bool) {
	if a == nil {
		return answer{}, false
	}
	return a.cache.GetIfPresent(sha256.Sum256([]byte(raw)))
}

// put keeps the newest answer; a token that was inactive once stays so, however
// late the answer to an older question comes.
func (a *answers) put(raw token.Raw, v answer) {
	if a == nil {
		return
	}
	a.cache.Compute(sha256.Sum256([]byte(raw)), func(old answer, found bool) (answer, otter.ComputeOp) {
		if found && (!old.active || v.active && old.at.Boot > v.at.Boot) {
			return old, otter.CancelOp
		}
		return v, otter.WriteOp
	})
}

// Close ends the goroutine of the cache. A Source that lives as long as its
// process need not be closed.
func (s *Source) Close() {
	if s.answers != nil {
		s.answers.cache.StopAllGoroutines()
	}
}
