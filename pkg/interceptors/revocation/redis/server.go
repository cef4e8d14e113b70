package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
)

//go:embed who.lua
var whoScript string

//go:embed check.lua
var checkScript string

// check asks for targets; without any it only asks who answers.
var check = redis.NewScript(whoScript + checkScript)

// answer is what every script says first of the server that ran it.
type answer struct {
	id     string // run_id and master_replid: a demotion changes the second
	bad    string // why the server must not be asked
	filled string // its marker, if that holds
	stamp  string // id and evicted_keys: what the marker has to begin with
	values []any
}

// run runs a script and takes note of the server that answered.
func (s *Source) run(ctx context.Context, c redis.Scripter, script *redis.Script, connected bool, keys []string, args ...any) (answer, bool, error) {
	values, err := script.Run(ctx, c, keys, args...).Slice()
	if err != nil {
		return answer{}, false, fmt.Errorf("redis revocations: %w", err)
	}
	var a answer
	head := []*string{&a.id, &a.bad, &a.filled, &a.stamp}
	if len(values) < len(head) {
		return answer{}, false, errors.New("redis revocations: an answer is too short")
	}
	for i, to := range head {
		var ok bool
		if *to, ok = values[i].(string); !ok {
			return answer{}, false, errors.New("redis revocations: an answer is not a text")
		}
	}
	a.values = values[len(head):]
	return a, s.servers.met(ctx, s.cfg.Logger, a, connected), nil
}

// maxLeft bounds the servers that are remembered. Beyond it every server
// counts as one that was left.
const maxLeft = 1024

// servers keeps all connections on one server: the one that the newest
// connection led to. The others could be on one that was replaced and does
// not know it, whose marker still holds.
type servers struct {
	mu      sync.Mutex
	current string // empty until the next connection
	bad     string
	// left are the servers that were current. What was revoked meanwhile is
	// not on them, so the marker that one has on return, shunned, is void.
	left    map[string]struct{}
	shunned string
	open    map[*link]struct{}
}

// met takes note of an answer, and reports whether its server knows every
// rule. Only a new connection makes a server the current one.
func (v *servers) met(ctx context.Context, log *slog.Logger, a answer, connected bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a.id != v.current && v.current != "" {
		log.ErrorContext(ctx, "another redis server answers, all connections are closed")
		if len(v.left) < maxLeft {
			v.left[v.current] = struct{}{}
		}
		v.current = ""
		for l := range v.open {
			_ = l.Conn.Close() // the pool closes the link itself when it notices
		}
	}
	if v.current == "" && connected {
		v.current = a.id
		if _, was := v.left[a.id]; was || len(v.left) == maxLeft {
			v.shunned = a.filled
		}
	}
	if a.bad != v.bad && a.bad != "" {
		log.ErrorContext(ctx, "redis may forget revocations", slog.String("error", a.bad))
	}
	v.bad = a.bad
	return a.bad == "" && a.id == v.current && a.filled != "" && a.filled != v.shunned
}

// is reports whether a is of the current server.
func (v *servers) is(a answer) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return a.id == v.current
}

// link is a connection that can be closed from outside of the pool.
type link struct {
	net.Conn
	servers *servers
}

// Close implements net.Conn.
func (l *link) Close() error {
	l.servers.mu.Lock()
	delete(l.servers.open, l)
	l.servers.mu.Unlock()
	return l.Conn.Close()
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// dial keeps count of the connections of d.
func (v *servers) dial(d dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l := &link{Conn: c, servers: v}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.open[l] = struct{}{}
		return l, nil
	}
}
