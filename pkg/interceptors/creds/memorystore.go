package creds

import (
	"context"
	"sync"
)

// MemoryStore is a [Store] in the memory of one process.
type MemoryStore struct {
	mu   sync.Mutex
	pair Pair
}

// NewMemoryStore returns a store that holds pair.
func NewMemoryStore(pair Pair) *MemoryStore { return &MemoryStore{pair: pair} }

// Load implements Store.
func (m *MemoryStore) Load(context.Context) (Pair, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pair.Refresh == "" {
		return Pair{}, ErrSignedOut
	}
	return m.pair, nil
}

// Replace implements Store.
func (m *MemoryStore) Replace(_ context.Context, sent, next Pair) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.pair.holds(sent) {
		return false, nil
	}
	m.pair = next
	return true, nil
}
