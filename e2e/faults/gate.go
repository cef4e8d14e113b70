package faults

import "sync"

// gate lets the bytes of one direction of a link pass, or holds them.
type gate struct {
	mu      sync.Mutex
	arrived int64         // chunks that have come so far, of all connections
	until   int64         // the last one that may pass while the gate is shut
	shut    bool          // nothing after until passes
	changed chan struct{} // closed at the next change
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

func (g *gate) change(how func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	how()
	close(g.changed)
	g.changed = make(chan struct{})
}

// close holds what comes from now on.
func (g *gate) close() {
	g.change(func() { g.shut, g.until = true, g.arrived })
}

func (g *gate) open() {
	g.change(func() { g.shut = false })
}

// arrive gives a chunk its number.
func (g *gate) arrive() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrived++
	return g.arrived
}

// pass waits until the chunk may go on; false if done is closed before.
func (g *gate) pass(chunk int64, done <-chan struct{}) bool {
	for {
		g.mu.Lock()
		open, changed := !g.shut || chunk <= g.until, g.changed
		g.mu.Unlock()
		if open {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}
