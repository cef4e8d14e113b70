package warden

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// patience bounds the telling of a warden that does not read.
	patience = time.Second
	// again is the time between two wardens that ended unasked; it doubles up to
	// seldom, and is again after one that lived as long as that.
	again  = time.Second
	seldom = time.Minute
)

// Post keeps a warden beside this process. A nil *Post does nothing. Its methods
// are safe for concurrent use.
type Post struct {
	log   *slog.Logger
	env   []string
	start func(env []string) (*os.Process, *os.File, error)
	quit  chan struct{}
	ended chan struct{} // no warden is there any more

	mu     sync.Mutex
	groups map[int]time.Duration
	warden *os.Process // both nil while there is none
	pipe   *os.File
}

// shared is the one post of the process.
var shared struct {
	mu    sync.Mutex
	users int
	post  *Post
}

// Hold returns the post of this process, with its warden, until release is
// called, once. Holders share it, with the log and the environment of the first.
func Hold(log *slog.Logger, env []string) (post *Post, release func()) {
	if !needed() {
		return nil, func() {}
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.users == 0 {
		shared.post = newPost(log, env)
	}
	shared.users++
	return shared.post, sync.OnceFunc(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.users--; shared.users == 0 {
			shared.post.close()
			shared.post = nil
		}
	})
}

func newPost(log *slog.Logger, env []string) *Post {
	p := &Post{
		log: log, env: env, start: start,
		quit: make(chan struct{}), ended: make(chan struct{}), groups: map[int]time.Duration{},
	}
	warden := p.install()
	go p.keep(warden)
	return p
}

// install starts a warden and tells it what there is. It returns nil if that
// failed: children have other ways to notice, and a warden is tried again.
func (p *Post) install() *os.Process {
	warden, pipe, err := p.start(p.env)
	if err != nil {
		p.log.Warn("warden can't be started", "error", err)
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warden, p.pipe = warden, pipe
	if p.closed() {
		// close found none to dismiss, and waits for this one.
		p.dismiss()
		return warden
	}
	for pgid, grace := range p.groups {
		p.write(guardLine(pgid, grace))
	}
	return warden
}

// keep replaces a warden that ends, until close.
func (p *Post) keep(warden *os.Process) {
	defer close(p.ended)
	var wait time.Duration
	for {
		born := time.Now()
		if warden != nil {
			_, _ = warden.Wait()
		}
		wait = backoff(wait, time.Since(born))
		p.mu.Lock()
		p.dismiss()
		p.mu.Unlock()
		if p.closed() {
			return
		}
		if warden != nil {
			p.log.Warn("warden ended and is replaced")
		}
		select {
		case <-p.quit:
			return
		case <-time.After(wait):
		}
		warden = p.install()
	}
}

// backoff is the time until the next warden, after one that lived so long, and
// for which the wait was last; 0 if it was the first.
func backoff(last, lived time.Duration) time.Duration {
	if last == 0 || lived >= seldom {
		return again
	}
	return min(2*last, seldom)
}

// Guard makes the warden end a process group after the death of this process,
// grace after it. The group's leader must be a child that is not collected yet.
func (p *Post) Guard(pgid int, grace time.Duration) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups[pgid] = grace
	p.write(guardLine(pgid, grace))
}

// Release takes a group away from the warden. It must be called before the
// leader is collected, and its number may be given to another.
func (p *Post) Release(pgid int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.groups, pgid)
	p.write(fmt.Sprintf("-%d\n", pgid))
}

func guardLine(pgid int, grace time.Duration) string { return fmt.Sprintf("+%d %d\n", pgid, grace) }

// write tells the warden, or gives up one that does not listen.
func (p *Post) write(line string) {
	if p.pipe == nil {
		return
	}
	_ = p.pipe.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.pipe.WriteString(line); err != nil {
		p.log.Warn("warden does not listen", "error", err)
		p.dismiss()
	}
}

// dismiss kills the warden before it hangs up: without the pipe the warden would
// take this process for dead and kill children that live.
func (p *Post) dismiss() {
	if p.pipe != nil {
		_ = p.warden.Kill()
		_ = p.pipe.Close()
		p.warden, p.pipe = nil, nil
	}
}

// closed tells whether close was called.
func (p *Post) closed() bool {
	select {
	case <-p.quit:
		return true
	default:
		return false
	}
}

// close ends the warden and waits for it.
func (p *Post) close() {
	close(p.quit)
	p.mu.Lock()
	p.dismiss()
	p.mu.Unlock()
	<-p.ended
}
