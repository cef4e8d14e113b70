// Package parent is what the parent process decides: which worker gets which
// partition, when a fenced one is granted again, when a partition needs a
// process of its own, and what became of every record in the end.
//
// The parent never touches a record.
package parent

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// Client is a worker process.
type Client interface {
	Assign(ctx context.Context, grants []ledger.Grant) error
	Release(ctx context.Context, keys []ledger.Key, timeout time.Duration) ([]worker.Progress, error)
	Watch(ctx context.Context, f func(worker.Event)) error
}

// Group is the membership in the consumer group.
type Group interface {
	// Heartbeat returns nil when a heartbeat that was sent after the call began
	// has been answered and this member still belongs to its generation.
	Heartbeat(ctx context.Context) error
	// Generation returns that of the member, negative if it has none.
	Generation() int32
	// Commit commits group offsets in that generation, or not at all.
	Commit(ctx context.Context, generation int32, offsets map[ledger.Key]int64) error
}

// Books is the parent's access to the ledger.
type Books interface {
	// Settle ends the lease with that token, if it is still one, and returns
	// what was committed under it: final, however its owner died.
	Settle(ctx context.Context, key ledger.Key, token uuid.UUID) (worker.Tally, error)
	// AddEvidence holds the death of an isolation process against the record
	// that it had begun with; ok is false if there is none.
	AddEvidence(ctx context.Context, key ledger.Key, token uuid.UUID, words string) (offset int64, evidence int32, ok bool, err error)
}

// Isolator runs processes for suspected partitions.
type Isolator interface {
	// Start starts one for key. The parent hears of it by IsolationReady and
	// IsolationExit. It is started again when it dies, until Stop.
	Start(key ledger.Key) error
	Stop(key ledger.Key)
}

// Config of a parent.
type Config struct {
	Group    Group
	Books    Books
	Isolator Isolator
	// Slots is the number of worker processes.
	Slots int
	// Log must not be shipped through the pipeline.
	Log *slog.Logger
	// Go runs f as long as the process lives.
	Go func(name string, f func(ctx context.Context) error)
}

const (
	// releaseTimeout is how long a revocation waits for a batch. Fencing makes
	// an early answer safe; waiting only saves reading the batch twice.
	releaseTimeout = 2 * time.Second
	callTimeout    = 5 * time.Second
	firstBackoff   = 100 * time.Millisecond
	maxBackoff     = 5 * time.Second
	// maxReleases are waited for at a time: more than there are processes.
	maxReleases = 64
	// maxIsolations bounds the processes beside the workers.
	maxIsolations = 4
)

// Parent assigns partitions to workers. Safe for concurrent use.
type Parent struct {
	cfg Config

	mu         sync.Mutex
	stopping   bool
	partitions map[ledger.Key]*partition
	workers    map[int]*process
	isolations map[ledger.Key]*process
	waiting    []ledger.Key // for an isolation process
	steals     int64
	books      account
}

// partition is one that the group has assigned to this member.
type partition struct {
	key  ledger.Key
	slot int // its worker's
	// token of the present grant; zero if there is none.
	token    uuid.UUID
	isolated bool
	backoff  time.Duration
	// committed is what the group may be told; -1 until the first answer.
	committed int64
}

// process is a worker process that is ready.
type process struct {
	client     Client
	generation int64
	isolation  bool
}

// New returns a parent without workers and partitions.
func New(cfg Config) *Parent {
	return &Parent{
		cfg: cfg, partitions: map[ledger.Key]*partition{}, workers: map[int]*process{},
		isolations: map[ledger.Key]*process{}, books: newAccount(),
	}
}

// Assigned takes partitions that the group has assigned and grants them.
func (p *Parent) Assigned(ctx context.Context, keys []ledger.Key) {
	p.mu.Lock()
	slices.SortFunc(keys, ledger.Key.Compare)
	for _, key := range keys {
		if p.partitions[key] == nil {
			p.partitions[key] = &partition{key: key, slot: p.leastLoaded(), committed: -1, backoff: firstBackoff}
		}
	}
	p.mu.Unlock()
	p.cfg.Log.InfoContext(ctx, "partitions assigned", "count", len(keys))
	p.grant(ctx, keys)
}

// leastLoaded is the slot with the fewest partitions.
func (p *Parent) leastLoaded() int {
	load := make([]int, p.cfg.Slots)
	for _, q := range p.partitions {
		load[q.slot]++
	}
	least := 0
	for slot, n := range load {
		if n < load[least] {
			least = slot
		}
	}
	return least
}

// Revoked gives partitions back to the group: their workers stop with them, and
// what was committed of them is forgotten, so that a stale figure never goes to
// the group.
func (p *Parent) Revoked(ctx context.Context, keys []ledger.Key) {
	p.mu.Lock()
	release := map[*process][]ledger.Key{}
	for _, key := range keys {
		q := p.partitions[key]
		if q == nil {
			continue
		}
		delete(p.partitions, key)
		holder := p.workers[q.slot]
		if q.isolated {
			holder = p.isolations[key]
			p.endIsolation(key)
		}
		if holder != nil && q.token != uuid.Nil {
			release[holder] = append(release[holder], key)
		}
	}
	p.mu.Unlock()
	p.cfg.Log.InfoContext(ctx, "partitions revoked", "count", len(keys))
	var wait errgroup.Group
	wait.SetLimit(maxReleases)
	for holder, keys := range release {
		wait.Go(func() error {
			released, err := holder.client.Release(ctx, keys, releaseTimeout)
			if err != nil {
				p.cfg.Log.WarnContext(ctx, "worker does not release; it is fenced by the next owner", "error", err)
				return nil
			}
			p.final(released)
			return nil
		})
	}
	_ = wait.Wait() // one that fails is fenced
}

// grant gives each of the partitions that has no grant to its process, if that
// is ready. Every grant has a token of its own.
func (p *Parent) grant(ctx context.Context, keys []ledger.Key) {
	p.mu.Lock()
	grants := map[*process][]ledger.Grant{}
	for _, key := range keys {
		q := p.partitions[key]
		if q == nil || q.token != uuid.Nil || p.stopping {
			continue
		}
		holder := p.workers[q.slot]
		if q.isolated {
			holder = p.isolations[key]
		}
		if holder == nil {
			continue
		}
		q.token = uuid.New()
		p.books.open(q.token, key, q.slot, holder)
		grants[holder] = append(grants[holder], ledger.Grant{Key: key, Token: q.token})
	}
	p.mu.Unlock()
	for holder, list := range grants {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		// A grant that is not answered may still arrive; it is lost for sure
		// when the process ends, and then granted again.
		if err := holder.client.Assign(call, list); err != nil {
			p.cfg.Log.WarnContext(ctx, "grant is not answered", "partitions", len(list), "error", err)
		}
		cancel()
	}
}

// Stop ends the granting; what is granted stays until the workers stop.
func (p *Parent) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
}
