package feedtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
)

// wrongVariable names the wrong store that this program gives to the suite.
const wrongVariable = "CURFEW_FEEDTEST_WRONG"

// wrong are stores that break one rule each, and the test that refuses them.
var wrong = map[string]struct {
	store   func(*feedtest.Memory) feed.Store
	refused string
}{
	"reads from a standby": {func(m *feedtest.Memory) feed.Store { return &standby{Memory: m} }, "a read sees every commit before it"},
	"does not bound the lease by what is unacknowledged": {
		func(m *feedtest.Memory) feed.Store { return unbounded{m} },
		"a renewal grants nothing past the oldest rule above the watermark plus the length",
	},
	"overwrites the row of the process before": {
		func(m *feedtest.Memory) feed.Store { return oneRow{m} },
		"rows of two incarnations of one replica are two rows",
	},
	"renews in a transaction that is not committed": {
		func(m *feedtest.Memory) feed.Store { return uncommitted{m} },
		"a renewal is committed when it returns",
	},
	"removes a row that was renewed since": {
		func(m *feedtest.Memory) feed.Store { return careless{m} },
		"a row is removed only as it was seen",
	},
}

// standby answers what the feed was at the read before.
type standby struct {
	*feedtest.Memory
	mu   sync.Mutex
	last feed.Page
}

func (s *standby) Read(ctx context.Context, after int64, limit int) (feed.Page, error) {
	p, err := s.Memory.Read(ctx, after, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.Generation != "" && err == nil {
		p, s.last = s.last, p
	} else {
		s.last = p
	}
	return p, err
}

type unbounded struct{ *feedtest.Memory }

func (s unbounded) Renew(ctx context.Context, r feed.Renewal) (time.Duration, error) {
	_, err := s.Memory.Renew(ctx, r)
	return r.Length, err
}

type oneRow struct{ *feedtest.Memory }

func (s oneRow) Renew(ctx context.Context, r feed.Renewal) (time.Duration, error) {
	rows, err := s.Rows(ctx)
	for _, row := range rows {
		if row.Replica == r.Replica && row.Incarnation != r.Incarnation {
			err = s.Remove(ctx, row.RowKey, feed.AnyRenewals)
		}
	}
	if err != nil {
		return 0, err
	}
	return s.Memory.Renew(ctx, r)
}

type uncommitted struct{ *feedtest.Memory }

func (s uncommitted) Renew(ctx context.Context, r feed.Renewal) (time.Duration, error) {
	return r.Length, ctx.Err()
}

type careless struct{ *feedtest.Memory }

func (s careless) Remove(ctx context.Context, key feed.RowKey, _ int64) error {
	return s.Memory.Remove(ctx, key, feed.AnyRenewals)
}

func TestAWrongStore(t *testing.T) {
	is, ok := wrong[os.Getenv(wrongVariable)]
	if !ok {
		return // only as the program of the next test
	}
	feedtest.RunStore(t, func(*testing.T) feedtest.Backend {
		m := feedtest.NewMemory()
		return feedtest.Backend{
			Store: is.store(m),
			Begin: func(_ context.Context, rules ...revocation.Rule) (int64, func() error, error) {
				seq, commit := m.Begin(rules...)
				return seq, func() error { commit(); return nil }, nil
			},
		}
	})
}

func TestTheSuiteRefusesStoresThatBreakOneRule(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, is := range wrong {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestAWrongStore$", "-test.v")
			cmd.Env = append(os.Environ(), wrongVariable+"="+name)
			out, err := cmd.CombinedOutput()
			refusal := "--- FAIL: TestAWrongStore/" + strings.ReplaceAll(is.refused, " ", "_")
			if err == nil || !strings.Contains(string(out), refusal) {
				t.Errorf("not refused by %q: %v\n%s", is.refused, err, out)
			}
		})
	}
}
