package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
)

// series are what is kept for each series of an instrument, made when it is
// first counted: attributes, whose making and hashing is most of what counting
// would cost. There are few of them. Safe for concurrent use, and finding one
// takes no lock.
type series[K comparable, V any] struct {
	create func(K) V
	known  atomic.Pointer[map[K]V]
	grow   sync.Mutex
}

func newSeries[K comparable, V any](create func(K) V) *series[K, V] {
	s := &series[K, V]{create: create}
	s.known.Store(&map[K]V{})
	return s
}

func (s *series[K, V]) get(key K) V {
	if v, ok := (*s.known.Load())[key]; ok {
		return v
	}
	s.grow.Lock()
	defer s.grow.Unlock()
	known := *s.known.Load()
	if v, ok := known[key]; ok {
		return v
	}
	next := maps.Clone(known)
	v := s.create(key)
	next[key] = v
	s.known.Store(&next)
	return v
}
