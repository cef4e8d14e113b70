package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// HealthOption configures [Livez], [Readyz] and [AddHealth].
type HealthOption interface{ apply(*probe) }

type healthOption func(*probe)

func (f healthOption) apply(p *probe) { f(p) }

// WithReasons answers with the reasons of parts, too. Use it where only operators can ask: a reason may tell an attacker
// what to attack. Without it the names and conditions are told, and the reasons are in the logs.
func WithReasons() HealthOption { return healthOption(func(p *probe) { p.reasons = true }) }

// Livez answers 200 while a restart would not help, and 503 when a part is dead. See [Readyz] for what else it says.
func Livez(g *lifecycle.Group, opts ...HealthOption) http.Handler {
	return newProbe(g, "livez", func(s lifecycle.Status) bool { return s.Live }, opts)
}

// Readyz answers 200 while the process wants traffic: everything has started, no part is unready or dead, and no stop has
// begun. Otherwise it answers 503. The body is "ok" or "not ready". The query ?verbose adds a line for every part that
// has a health or is being started: [+] ready, [~] degraded, [-] unready or dead. With "Accept: application/json" the
// body is [lifecycle.Status]. It answers within 100 ms, whatever the parts do.
func Readyz(g *lifecycle.Group, opts ...HealthOption) http.Handler {
	return newProbe(g, "readyz", func(s lifecycle.Status) bool { return s.Ready }, opts)
}

// AddHealth serves /livez and /readyz on a listener of their own, which the group owns from here on. It is there while
// the other parts still start and until the last phase of the stop, when the server of [Add] does not answer any more,
// and its port need not be open to the world.
func AddHealth(g *lifecycle.Group, name string, lis net.Listener, opts ...HealthOption) error {
	if g == nil || lis == nil {
		return errors.New("httpserver: group and listener are required")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /livez", Livez(g, opts...))
	mux.Handle("GET /readyz", Readyz(g, opts...))
	s := &server{
		g: g, name: name, lis: lis, calls: newCalls(), quiet: make(chan struct{}), served: make(chan struct{}),
		srv: &http.Server{Handler: mux, ReadHeaderTimeout: probeTime, ReadTimeout: probeTime, WriteTimeout: probeTime, IdleTimeout: time.Minute, MaxHeaderBytes: probeHeaders},
	}
	if err := g.Add(lifecycle.Part{Name: name, Phase: lifecycle.Close, Start: s.serve, Stop: s.end}); err != nil {
		return fmt.Errorf("httpserver: %w", err)
	}
	return nil
}

// end closes a server whose answers nobody has to wait for.
func (s *server) end(ctx context.Context) error {
	_ = s.close(ctx) // never fails
	select {
	case <-s.served:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Limits of who asks for the health.
const (
	probeTime    = 5 * time.Second
	probeHeaders = 8 << 10
)

// probe answers one question about a group.
type probe struct {
	g       *lifecycle.Group
	name    string
	holds   func(lifecycle.Status) bool
	reasons bool
}

func newProbe(g *lifecycle.Group, name string, holds func(lifecycle.Status) bool, opts []HealthOption) *probe {
	p := &probe{g: g, name: name, holds: holds}
	for _, o := range opts {
		o.apply(p)
	}
	return p
}

const withheld = "reason withheld"

func (p *probe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := p.g.Status()
	if !p.reasons {
		withhold(&s)
	}
	code, kind := http.StatusOK, "text/plain; charset=utf-8"
	if !p.holds(s) {
		code = http.StatusServiceUnavailable
	}
	var body string
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		data, err := json.Marshal(s)
		if err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		kind, body = "application/json", string(data)+"\n"
	} else {
		body = p.text(s, r.URL.Query().Has("verbose"))
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body))
}

func (p *probe) text(s lifecycle.Status, verbose bool) string {
	verdict := "ok"
	if !p.holds(s) {
		verdict = map[string]string{"livez": "dead", "readyz": "not ready"}[p.name]
	}
	if !verbose {
		return verdict + "\n"
	}
	var sb strings.Builder
	for _, part := range s.Parts {
		mark := map[lifecycle.Condition]string{lifecycle.Ready: "[+]", lifecycle.Degraded: "[~]"}[part.Condition]
		if mark == "" {
			mark = "[-]"
		}
		line := fmt.Sprintf("%s %s %v", mark, part.Name, part.Condition)
		if part.Reason != "" {
			line += ": " + part.Reason
		}
		sb.WriteString(line + "\n")
	}
	fmt.Fprintf(&sb, "%s: %s, %s", p.name, verdict, s.State)
	if s.Reason != "" {
		sb.WriteString(", " + s.Reason)
	}
	return sb.String() + "\n"
}

// withhold takes the reasons out of s.
func withhold(s *lifecycle.Status) {
	if s.Reason != "" {
		s.Reason = withheld
	}
	parts := make([]lifecycle.PartStatus, len(s.Parts))
	for i, part := range s.Parts {
		if part.Reason != "" {
			part.Reason = withheld
		}
		parts[i] = part
	}
	s.Parts = parts
}
