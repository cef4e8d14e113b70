package faults

import (
	"sync"
	"sync/atomic"
	"time"
)

// probe measures what this machine keeps a process waiting that wants to run.
// The others are kept waiting alike.
type probe struct {
	late atomic.Int64 // nanoseconds
	done chan struct{}
	end  sync.WaitGroup
}

const (
	// probeEvery is the pause between two looks, usuallyLate what a machine with
	// much to do and enough processors adds to it.
	probeEvery  = 5 * time.Millisecond
	usuallyLate = 10 * time.Millisecond
)

func startProbe() *probe {
	p := &probe{done: make(chan struct{})}
	p.end.Go(p.run)
	return p
}

func (p *probe) run() {
	timer := time.NewTimer(probeEvery)
	defer timer.Stop()
	for {
		start := time.Now()
		timer.Reset(probeEvery)
		select {
		case <-timer.C:
		case <-p.done:
			return
		}
		if late := time.Since(start) - probeEvery; late > usuallyLate {
			p.late.Add(int64(late))
		}
	}
}

func (p *probe) stop() {
	close(p.done)
	p.end.Wait()
}

// Starved returns for how long, since the installation started, this machine
// kept processes waiting. The difference of two is what a bound in time between
// them may be missed by without anybody's fault.
func (i *Installation) Starved() time.Duration { return time.Duration(i.probe.late.Load()) }
