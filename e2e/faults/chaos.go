package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// fault is one kind of thing that goes wrong. It ends what it began, before it
// returns, and at once when its context ends.
type fault struct {
	name string
	do   func(ctx context.Context, c *chaos) error
}

// chaos deals faults in a random order, each kind once before any comes again.
type chaos struct {
	*Installation
	random *rand.Rand
	done   *Broken
	note   func(format string, args ...any)
	auths  chan struct{} // bounds how many servers of the feed fail at a time
	places chan struct{} // bounds how much is wrong at a time

	store     sync.Mutex // one restart of the database at a time
	restarted time.Time  // the database, last

	mu   sync.Mutex
	busy map[*Server]bool
}

// longestPause is longer than a lease.
const longestPause = 5 * time.Second

const (
	// atOnce is how many faults there are at a time. With many more hardly
	// anything is revoked, and nothing is seen of that.
	atOnce = 3
	// databaseRest is the least time between two restarts of the database: no
	// outcome is known of what was being revoked at one.
	databaseRest = 5 * time.Second
)

var faults = []fault{ //nolint:gochecknoglobals // A constant table.
	{"pause a replica", func(ctx context.Context, c *chaos) error { return c.freeze(ctx, c.pick(c.Replicas), longestPause) }},
	{"pause a replica briefly", func(ctx context.Context, c *chaos) error { return c.freeze(ctx, c.pick(c.Replicas), time.Second) }},
	{"kill a replica", func(ctx context.Context, c *chaos) error { return c.kill(ctx, c.pick(c.Replicas)) }},
	{"a replica leaves and another one joins", func(ctx context.Context, c *chaos) error { return c.restart(ctx, c.pick(c.Replicas)) }},
	{"cut a replica off from one server of the feed", cutOne},
	{"cut a replica off from the feed", cutAll},
	{"pause a server of the feed", func(ctx context.Context, c *chaos) error { return c.freeze(ctx, c.pick(c.Auths), 7*time.Second) }},
	{"kill a server of the feed", func(ctx context.Context, c *chaos) error { return c.kill(ctx, c.pick(c.Auths)) }},
	{"restart a server of the feed", func(ctx context.Context, c *chaos) error { return c.restart(ctx, c.pick(c.Auths)) }},
	{"cut a server of the feed off from the database", func(ctx context.Context, c *chaos) error {
		return cutStore(ctx, c, (*Proxy).Cut)
	}},
	{"lose what a replica says to the feed", func(ctx context.Context, c *chaos) error {
		return c.deafen(ctx, "a replica to the feed", c.Links[c.chance(len(c.Links))], (*Proxy).CutThere)
	}},
	{"lose what the feed says to a replica", func(ctx context.Context, c *chaos) error {
		return c.deafen(ctx, "the feed to a replica", c.Links[c.chance(len(c.Links))], (*Proxy).CutBack)
	}},
	{"lose what the database says to a server of the feed", func(ctx context.Context, c *chaos) error {
		return cutStore(ctx, c, (*Proxy).CutBack)
	}},
	{"restart the database", func(ctx context.Context, c *chaos) error { return c.database(ctx, false) }},
	{"crash the database", func(ctx context.Context, c *chaos) error { return c.database(ctx, true) }},
}

// Broken counts faults.
type Broken struct{ n atomic.Int64 }

// Count returns how many there were so far.
func (b *Broken) Count() int { return int(b.n.Load()) }

// logf tells and counts a fault that happens now.
func (c *chaos) logf(format string, args ...any) {
	c.done.n.Add(1)
	c.note(format, args...)
}

// Break lets faults happen until ctx ends, and then makes everything whole.
// They are counted in done, and told to log.
func (i *Installation) Break(ctx context.Context, random *rand.Rand, done *Broken, log func(format string, args ...any)) error {
	c := &chaos{
		Installation: i, random: random, done: done, note: log,
		auths: make(chan struct{}, max(1, len(i.Auths)-1)), places: make(chan struct{}, atOnce), busy: map[*Server]bool{},
	}
	var running sync.WaitGroup
	var failed error
	var once sync.Once
	for ctx.Err() == nil {
		for _, n := range random.Perm(len(faults)) {
			pause(ctx, time.Duration(100+random.IntN(600))*time.Millisecond)
			select {
			case c.places <- struct{}{}:
			case <-ctx.Done():
				continue
			}
			running.Go(func() {
				defer func() { <-c.places }()
				if err := faults[n].do(ctx, c); err != nil {
					once.Do(func() { failed = fmt.Errorf("%s: %w", faults[n].name, err) })
				}
			})
		}
	}
	running.Wait()
	i.Heal()
	return failed
}

// chance draws under the lock: a rand.Rand is not for several goroutines.
func (c *chaos) chance(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

// pick takes a server that nothing is wrong with, nil if there is none.
func (c *chaos) pick(of []*Server) *Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.random.Perm(len(of)) {
		if s := of[n]; !c.busy[s] {
			c.busy[s] = true
			return s
		}
	}
	return nil
}

// breaking brackets what is done to one server; false if it is not to be done.
func (c *chaos) breaking(s *Server) (finish func(), ok bool) {
	if s == nil {
		return nil, false
	}
	release := func() {}
	for _, auth := range c.Auths {
		if s == auth {
			select {
			case c.auths <- struct{}{}:
				release = func() { <-c.auths }
			default:
				c.free(s)
				return nil, false
			}
		}
	}
	s.noteFault()
	return func() { s.noteFault(); release(); c.free(s) }, true
}

func (c *chaos) free(s *Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, s)
}

func (c *chaos) upTo(longest time.Duration) time.Duration {
	const shortest = 50
	return time.Duration(shortest+c.chance(int(longest.Milliseconds()))) * time.Millisecond
}

func (c *chaos) freeze(ctx context.Context, s *Server, longest time.Duration) error {
	finish, ok := c.breaking(s)
	if !ok {
		return nil
	}
	defer finish()
	d := c.upTo(longest)
	c.logf("%s is paused for %v", s.Name, d)
	if err := s.Pause(); err != nil {
		return err
	}
	pause(ctx, d)
	return s.Continue()
}

func (c *chaos) kill(ctx context.Context, s *Server) error {
	finish, ok := c.breaking(s)
	if !ok {
		return nil
	}
	defer finish()
	c.logf("%s is killed", s.Name)
	s.Kill()
	pause(ctx, c.upTo(time.Second))
	return s.Start(context.WithoutCancel(ctx))
}

func (c *chaos) restart(ctx context.Context, s *Server) error {
	finish, ok := c.breaking(s)
	if !ok {
		return nil
	}
	defer finish()
	c.logf("%s stops", s.Name)
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start(context.WithoutCancel(ctx))
}

func cutOne(ctx context.Context, c *chaos) error {
	links := c.Links[c.chance(len(c.Links))]
	link, d := links[c.chance(len(links))], c.upTo(5*time.Second)
	c.logf("a link to the feed is cut for %v", d)
	link.Cut()
	defer link.Heal()
	pause(ctx, d)
	return nil
}

func cutAll(ctx context.Context, c *chaos) error {
	links, d := c.Links[c.chance(len(c.Links))], 2*time.Second+c.upTo(3*time.Second) // past its lease
	c.logf("a replica is cut off from the feed for %v", d)
	for _, link := range links {
		link.Cut()
		defer link.Heal()
	}
	pause(ctx, d)
	return nil
}

func cutStore(ctx context.Context, c *chaos, cut func(*Proxy)) error {
	s := c.pick(c.Auths)
	finish, ok := c.breaking(s)
	if !ok {
		return nil
	}
	defer finish()
	link, d := c.Stores[slices.Index(c.Auths, s)], c.upTo(7*time.Second)
	c.logf("%s is cut off from the database for %v", s.Name, d)
	cut(link)
	defer link.Heal()
	pause(ctx, d)
	return nil
}

// deafen cuts links in one direction.
func (c *chaos) deafen(ctx context.Context, what string, links []*Proxy, cut func(*Proxy)) error {
	d := c.upTo(longestPause)
	c.logf("nothing gets from %s for %v", what, d)
	for _, link := range links {
		cut(link)
		defer link.Heal()
	}
	pause(ctx, d)
	return nil
}

func (c *chaos) database(ctx context.Context, crash bool) error {
	c.store.Lock()
	defer c.store.Unlock()
	if time.Since(c.restarted) < databaseRest {
		return nil
	}
	defer func() { c.restarted = time.Now() }()
	c.logf("the database restarts; crash: %t", crash)
	return c.RestartDatabase(context.WithoutCancel(ctx), crash)
}
