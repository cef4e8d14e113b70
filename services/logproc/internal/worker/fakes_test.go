package worker

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/decode"
	"github.com/curfew-platform/curfew/services/logproc/internal/fetch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	keyA    = ledger.Key{Topic: "logs", Partition: 0}
	keyB    = ledger.Key{Topic: "logs", Partition: 1}
	topicID = uuid.MustParse("00000000-0000-0000-0000-0000000000aa")
	otherID = uuid.MustParse("00000000-0000-0000-0000-0000000000bb")
)

// stage is a worker between a fake Kafka and a fake PostgreSQL.
type stage struct {
	t      *testing.T
	source *fakeSource
	store  *fakeStore
	worker *Worker
}

func newStage(t *testing.T, change func(*Config)) *stage {
	s := &stage{t: t, source: &fakeSource{logs: map[ledger.Key]ledger.Log{}, reading: map[ledger.Key]int64{}}, store: newFakeStore()}
	cfg := Config{
		Source: s.source, Store: s.store, Decoder: decode.New(), RetentionDays: 30, StopBudget: time.Second, CPULimit: time.Second,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	if change != nil {
		change(&cfg)
	}
	s.worker = New(cfg)
	for _, key := range []ledger.Key{keyA, keyB} {
		s.source.logs[key] = ledger.Log{TopicID: topicID, End: 1000, EpochEnd: -1}
		s.store.rows[key] = ledger.Lease{Key: key, TopicID: topicID, LeaderEpoch: -1}
	}
	return s
}

// grant has partitions taken and checked.
func (s *stage) grant(keys ...ledger.Key) {
	for _, key := range keys {
		s.worker.Assign([]ledger.Grant{{Key: key, Token: uuid.New()}})
	}
	s.worker.serve(s.t.Context())
	s.worker.check(s.t.Context())
}

// round reads and stores once.
func (s *stage) round() {
	if parts := s.worker.build(s.t.Context(), s.t.Context()); len(parts) > 0 {
		s.worker.store(s.t.Context(), parts)
	}
	s.worker.check(s.t.Context())
}

// kinds are the events so far, progress left out.
func (s *stage) kinds() (kinds []Kind) {
	for _, e := range s.worker.Events() {
		if e.Kind != Changed {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

type fakeSource struct {
	mu        sync.Mutex
	logs      map[ledger.Key]ledger.Log
	reading   map[ledger.Key]int64
	chunks    []fetch.Chunk
	asked     []ledger.Lease
	forgotten []string
}

func (f *fakeSource) Inspect(_ context.Context, leases []ledger.Lease) (map[ledger.Key]ledger.Log, error) {
	f.asked = append(f.asked, leases...)
	return f.logs, nil
}

func (f *fakeSource) Add(starts []fetch.Start) {
	for _, s := range starts {
		f.reading[s.Key] = s.Offset
	}
}

func (f *fakeSource) Remove(keys []ledger.Key) {
	for _, k := range keys {
		delete(f.reading, k)
	}
}

func (f *fakeSource) Forget(topic string) { f.forgotten = append(f.forgotten, topic) }

func (f *fakeSource) Poll(ctx context.Context, _ int) []fetch.Chunk {
	f.mu.Lock()
	chunks := f.chunks
	f.chunks = nil
	f.mu.Unlock()
	if len(chunks) == 0 {
		<-ctx.Done()
	}
	return chunks
}

// feed queues records at the offsets.
func (f *fakeSource) feed(key ledger.Key, epoch int32, offsets ...int64) {
	c := fetch.Chunk{Key: key, TopicID: topicID}
	for _, o := range offsets {
		c.Records = append(c.Records, fetch.Record{Offset: o, LeaderEpoch: epoch, Value: []byte("x"), Timestamp: 1_790_000_000_000_000})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chunks = append(f.chunks, c)
}

// fakeStore is a ledger in memory. script replaces the next commits.
type fakeStore struct {
	rows      map[ledger.Key]ledger.Lease
	commits   []*batch.Batch
	script    []func(*batch.Batch) error
	committed map[uint64]bool
	askedXID  []uint64
	recovered int
	released  []ledger.Key
	suspected []int64
	left      map[uuid.UUID]bool
	corrected []ledger.Finding
	storedTo  int64
	lost      bool
}

func newFakeStore() *fakeStore {
	return &fakeStore{rows: map[ledger.Key]ledger.Lease{}, committed: map[uint64]bool{}, left: map[uuid.UUID]bool{}}
}

func (f *fakeStore) Take(_ context.Context, g ledger.Grant, _ int64) (ledger.Lease, error) {
	l := f.rows[g.Key]
	l.Epoch++
	l.Token = g.Token
	f.rows[g.Key] = l
	return l, nil
}

func (f *fakeStore) Recover(_ context.Context, l ledger.Lease) (ledger.Lease, error) {
	f.recovered++
	f.lost = false
	row := f.rows[l.Key]
	if row.Epoch != l.Epoch || row.Token != l.Token {
		return ledger.Lease{}, &ledger.FencedError{Key: l.Key}
	}
	row.Epoch++
	f.rows[l.Key] = row
	return row, nil
}

func (f *fakeStore) Release(_ context.Context, l ledger.Lease, _ bool) error {
	f.released = append(f.released, l.Key)
	return nil
}

func (f *fakeStore) Correct(_ context.Context, l ledger.Lease, found ledger.Finding) (ledger.Lease, error) {
	f.corrected = append(f.corrected, found)
	l.Next, l.TopicID, l.LeaderEpoch = found.Next, found.TopicID, found.LeaderEpoch
	f.rows[l.Key] = l
	return l, nil
}

func (f *fakeStore) HasLeft(_ context.Context, _ ledger.Key, id uuid.UUID) (bool, error) {
	return f.left[id], nil
}

func (f *fakeStore) StoredTo(context.Context, ledger.Lease, int32) (int64, error) {
	return f.storedTo, nil
}

func (f *fakeStore) Suspect(_ context.Context, l ledger.Lease) error {
	f.suspected = append(f.suspected, l.Next)
	return nil
}

func (f *fakeStore) PrepareDay(context.Context, int32, int) error { return nil }

func (f *fakeStore) Commit(_ context.Context, b *batch.Batch) error {
	if len(f.script) > 0 {
		step := f.script[0]
		f.script = f.script[1:]
		if err := step(b); err != nil {
			return err
		}
		return nil
	}
	return f.apply(b)
}

// apply is what ledger_advance does.
func (f *fakeStore) apply(b *batch.Batch) error {
	for _, p := range b.Parts {
		row := f.rows[p.Lease.Key]
		if row.Epoch != p.Lease.Epoch || row.Token != p.Lease.Token || row.Next != p.Lease.Next || row.TopicID != p.Lease.TopicID {
			return &ledger.FencedError{Key: p.Lease.Key}
		}
	}
	for _, p := range b.Parts {
		row := f.rows[p.Lease.Key]
		row.Next, row.LeaderEpoch = p.To, p.LeaderEpoch
		f.rows[p.Lease.Key] = row
	}
	f.commits = append(f.commits, b)
	return nil
}

func (f *fakeStore) Committed(_ context.Context, xid uint64) (bool, error) {
	f.askedXID = append(f.askedXID, xid)
	return f.committed[xid], nil
}

func (f *fakeStore) Lost() bool { return f.lost }
