// Package feedtest holds a store of the leased feed in memory, for tests, and
// the suite that every store must pass.
package feedtest

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// Memory is a [feed.Store] in memory, which several engines of one process may
// share. Create it with [NewMemory].
type Memory struct {
	head chan struct{} // the row lock of the head: holds its one token

	mu         sync.Mutex
	ahead      time.Duration // what the clock of the store was set forward by
	generation int
	seq        int64
	rules      []stamped
	rows       map[feed.RowKey]*feed.Row
	wake       []chan struct{}
}

// stamped is a rule with the time at which its transaction took its position.
type stamped struct {
	revocation.Rule
	at time.Time
}

var _ feed.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	m := &Memory{head: make(chan struct{}, 1), generation: 1, rows: make(map[feed.RowKey]*feed.Row)}
	m.head <- struct{}{}
	return m
}

// Begin begins a revoking transaction: it locks the head and takes the next
// position. commit ends it.
func (m *Memory) Begin(rules ...revocation.Rule) (seq int64, commit func()) {
	<-m.head
	m.mu.Lock()
	defer m.mu.Unlock()
	seq, at := m.seq+1, m.now()
	return seq, func() {
		m.mu.Lock()
		m.seq = seq
		for _, r := range rules {
			r.Seq = seq
			m.rules = append(m.rules, stamped{r, at})
		}
		wake := slices.Clone(m.wake)
		m.mu.Unlock()
		for _, c := range wake {
			select {
			case c <- struct{}{}:
			default:
			}
		}
		m.head <- struct{}{}
	}
}

// Revoke commits rules in one transaction and returns their position.
func (m *Memory) Revoke(rules ...revocation.Rule) int64 {
	seq, commit := m.Begin(rules...)
	commit()
	return seq
}

// Wake returns a channel that gets a signal after every commit, for
// feed.Config.Wake.
func (m *Memory) Wake() <-chan struct{} {
	c := make(chan struct{}, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wake = append(m.wake, c)
	return c
}

// SetClock sets the clock of the store forward by d, or back if d is negative.
func (m *Memory) SetClock(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += d
}

// Restore goes back to position seq and begins a new generation, as after a
// failover that lost commits.
func (m *Memory) Restore(seq int64) {
	m.Lose(seq)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
}

// Lose is Restore by somebody who forgets to begin a new generation.
func (m *Memory) Lose(seq int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq = seq
	m.rules = slices.DeleteFunc(m.rules, func(r stamped) bool { return r.Seq > seq })
	for _, row := range m.rows { // what they covered was written later
		row.Watermark = min(row.Watermark, seq)
	}
}

func (m *Memory) now() time.Time { return time.Now().Add(m.ahead) }

// Renew implements [feed.Store].
func (m *Memory) Renew(ctx context.Context, r feed.Renewal) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.rows[r.RowKey]
	if row == nil {
		row = &feed.Row{RowKey: r.RowKey}
		m.rows[r.RowKey] = row
	}
	m.note(row, r.Progress)
	row.Renewals = r.Number
	row.Length = max(row.Length, r.Length)
	now := m.now()
	until := now.Add(r.Length)
	above := row.Watermark
	if row.Generation != strconv.Itoa(m.generation) {
		above = 0
	}
	i := slices.IndexFunc(m.rules, func(s stamped) bool { return s.Seq > above })
	if i >= 0 {
		if limit := m.rules[i].at.Add(r.Length); limit.Before(until) {
			until = limit
		}
	}
	if until.After(row.LeaseUntil) {
		row.LeaseUntil = until
	}
	return until.Sub(now), nil
}

// Publish implements [feed.Store].
func (m *Memory) Publish(ctx context.Context, key feed.RowKey, p feed.Progress) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if row := m.rows[key]; row != nil {
		m.note(row, p)
	}
	return nil
}

func (m *Memory) note(row *feed.Row, p feed.Progress) {
	if p.Watermark > m.seq {
		p.Watermark = 0
	}
	if row.Generation == p.Generation {
		p.Watermark = max(p.Watermark, row.Watermark)
	}
	row.Progress = p
}

// Read implements [feed.Store].
func (m *Memory) Read(ctx context.Context, after int64, limit int) (feed.Page, error) {
	if err := ctx.Err(); err != nil {
		return feed.Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := feed.Page{Generation: strconv.Itoa(m.generation), Head: m.seq, Seq: m.seq}
	for i, r := range m.rules {
		if r.Seq <= after {
			continue
		}
		if len(p.Rules) >= limit && r.Seq != m.rules[i-1].Seq {
			p.Seq = m.rules[i-1].Seq
			break
		}
		p.Rules = append(p.Rules, r.Rule)
	}
	return p, nil
}

// Rows implements [feed.Store].
func (m *Memory) Rows(ctx context.Context) ([]feed.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := make([]feed.Row, 0, len(m.rows))
	for _, r := range m.rows {
		rows = append(rows, *r)
	}
	return rows, nil
}

// Remove implements [feed.Store].
func (m *Memory) Remove(ctx context.Context, key feed.RowKey, renewals int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if row := m.rows[key]; row != nil && (renewals == feed.AnyRenewals || row.Renewals == renewals) {
		delete(m.rows, key)
	}
	return nil
}
