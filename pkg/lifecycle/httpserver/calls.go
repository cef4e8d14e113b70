package httpserver

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// calls are the requests whose handlers run. http.Server.Shutdown looks at connections only, and after Close nobody
// waits for handlers at all, although what they use is closed next.
type calls struct {
	mu    sync.Mutex
	set   map[*http.Request]time.Time
	begun uint64 // requests ever
}

func newCalls() *calls { return &calls{set: make(map[*http.Request]time.Time)} }

// wrap returns a handler that counts.
func (c *calls) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.set[r] = time.Now()
		c.begun++
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.set, r)
		}()
		next.ServeHTTP(w, r)
	})
}

// count returns the requests in flight and the requests ever begun.
func (c *calls) count() (inFlight int64, begun uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.set)), c.begun
}

func (c *calls) inFlight() int64 {
	n, _ := c.count()
	return n
}

// names returns a line for each request in flight, without its query, which may hold secrets.
func (c *calls) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for r, since := range c.set {
		list = append(list, fmt.Sprintf("%.10s %.80q from %s for %v", r.Method, r.URL.Path, r.RemoteAddr, time.Since(since).Round(time.Millisecond)))
	}
	slices.Sort(list)
	return list
}
