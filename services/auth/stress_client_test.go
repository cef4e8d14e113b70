package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// What is known about the end of a session.
const (
	lives = iota
	maybeOver
	surelyOver
)

// stressed is one session: its tabs share the jar.
type stressed struct {
	name  string
	thief bool
	over  atomic.Int32
	theft atomic.Bool
	// slow: this machine held a client up for longer than its contract allows.
	slow atomic.Bool

	mu  sync.Mutex
	jar string
}

func (c *stressed) read() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jar
}

// write keeps the rule that an answer with the presented token stores nothing.
func (c *stressed) write(presented, got string) {
	if got == presented {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jar = got
}

// generation is what a refresh token says.
type generation struct {
	session uuid.UUID
	number  uint32
}

func parse(token string) generation {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 25 {
		return generation{}
	}
	return generation{session: uuid.UUID(raw[5:21]), number: binary.BigEndian.Uint32(raw[21:25])}
}

// note checks that whoever is given a generation gets the same pair, and that
// it is the presented one or its successor.
func (s *stress) note(presented string, got *authv1.RefreshTokensResponse) {
	was, is := parse(presented), parse(got.GetRefreshToken())
	if is.session != was.session || is.number != was.number && is.number != was.number+1 {
		s.t.Errorf("%v was answered with %v", was, is)
	}
	pair := got.GetAccessToken() + " " + got.GetRefreshToken()
	first, again := s.pairs.LoadOrStore(is, pair)
	switch {
	case !again && is.number == was.number+1:
		s.rotations.Add(1)
	case again:
		s.repeated.Add(1)
		if first != pair {
			s.t.Errorf("two pairs for %v", is)
		}
	}
}

// tab is an honest client: it reads the jar when it sends, times out after a
// quarter of the window, and repeats what failed.
func (s *stress) tab(c *stressed, r *rand.Rand) {
	life := s.size.window / 4
	var since time.Time // first sending of what is pending
	for {
		if since.IsZero() {
			if !s.pause(time.Duration(r.Int64N(int64(s.size.window * 3 / 2)))) {
				return
			}
			since = time.Now()
		} else if !s.pause(time.Millisecond) {
			return
		}
		over := c.over.Load()
		presented, sent := c.read(), time.Now()
		ctx, cancel := context.WithTimeout(s.t.Context(), life)
		if r.IntN(40) == 0 {
			time.AfterFunc(time.Duration(r.Int64N(int64(3*time.Millisecond))), cancel)
		}
		got, err := s.r.auth.RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: presented})
		cancel()
		if time.Since(sent) > 2*life || time.Since(since) > s.size.window*2/3 {
			if !c.slow.Swap(true) {
				s.excused.Add(1)
			}
		}
		switch reason := status.Reason(err); {
		case err == nil && over == surelyOver:
			s.t.Error("a refresh that began after the revocation had returned succeeded")
		case err == nil:
			s.note(presented, got)
		case s.refused(c, reason):
			return
		default:
			s.failures.Add(1)
			continue // pending
		}
		if r.IntN(15) == 0 {
			s.lost.Add(1)
			continue // the answer never arrived
		}
		if r.IntN(10) == 0 && !s.pause(time.Duration(r.Int64N(int64(life)/2))) {
			return
		}
		c.write(presented, got.GetRefreshToken())
		since = time.Time{}
	}
}

// refused says whether the answer ends the session, and whether it may.
func (s *stress) refused(c *stressed, reason string) bool {
	switch reason {
	case "REFRESH_REUSED":
		s.thefts.Add(1)
		c.theft.Store(true)
		if !c.thief && !c.slow.Load() {
			s.t.Errorf("honest session %s was judged theft", c.name)
		}
	case "SESSION_REVOKED":
		if c.over.Load() == lives && !c.theft.Load() && !c.thief && !c.slow.Load() {
			s.t.Errorf("honest session %s was ended by nobody", c.name)
		}
	case "REFRESH_UNKNOWN", "REFRESH_EXPIRED":
		s.t.Errorf("session %s: %s", c.name, reason)
	default:
		return false
	}
	return true
}

// steal copies the jar once and goes on with the copy.
func (s *stress) steal(c *stressed, r *rand.Rand) {
	if !s.pause(time.Duration(r.Int64N(int64(5 * s.size.window)))) {
		return
	}
	copied := c.read()
	for s.pause(time.Duration(r.Int64N(int64(4 * s.size.window)))) {
		got, err := s.r.auth.RefreshTokens(s.t.Context(), &authv1.RefreshTokensRequest{RefreshToken: copied})
		switch {
		case err == nil:
			s.thieves.Add(1)
			s.note(copied, got)
			copied = got.GetRefreshToken()
		case s.refused(c, status.Reason(err)):
			return
		}
	}
}
