package faults_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/faults"
)

// startLimit is for an installation that starts beside others.
const startLimit = 2 * time.Minute

// pool hands out installations, one to each test that runs: what a test breaks
// is nobody else's, and what it leaves whole the next one takes.
type pool struct {
	dir     string
	options faults.Options

	mu      sync.Mutex
	started int
	free    []*faults.Installation
}

// installations is what the tests of this package share.
var installations pool

// take returns an installation that is whole, until the end of the test.
func (p *pool) take(t *testing.T) *faults.Installation {
	t.Helper()
	i := p.reuse()
	if i == nil {
		var err error
		if i, err = p.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if !t.Failed() {
			p.giveBack(i)
			return
		}
		if err := i.Close(); err != nil {
			t.Log(err)
		}
	})
	return i
}

func (p *pool) reuse() *faults.Installation {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return nil
	}
	i := p.free[last]
	p.free = p.free[:last]
	return i
}

func (p *pool) start(ctx context.Context) (*faults.Installation, error) {
	p.mu.Lock()
	p.started++
	dir := filepath.Join(p.dir, fmt.Sprint(p.started))
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return faults.Start(ctx, dir, p.options)
}

func (p *pool) giveBack(i *faults.Installation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, i)
}

// close ends what was given back, which is all when no test runs.
func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, i := range p.free {
		errs = append(errs, i.Close())
	}
	p.free = nil
	return errors.Join(errs...)
}
