package interceptors

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// hotPath is authentication, revocation and authorization of unary calls with
// a cached token, without the other links.
type hotPath struct {
	chain   *Chain
	links   []link
	md      metadata.MD
	request proto.Message
}

func newHotPath(t testing.TB, source revocation.Source) *hotPath {
	t.Helper()
	perms, err := authz.ParsePermissions([]byte(shop.Permissions))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(shop.File), perms)
	if err != nil {
		t.Fatal(err)
	}
	issuer := tokentest.New(t)
	chain, err := New(Config{
		Verifier: issuer.Verifier(t), Revocation: source, Policy: policy, Logger: slog.New(slog.DiscardHandler),
		Audit: AuditLog(slog.New(slog.DiscardHandler)), Introspector: nobody{},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &hotPath{
		chain: chain, request: shop.Message{Name: "users/u1/things/1"}.Proto(),
		md: metadata.MD{"authorization": {"Bearer " + issuer.User(t, "u1", []string{"customer"})}},
	}
	for _, l := range chain.links {
		if slices.Contains([]string{"authentication", "revocation", "authorization"}, l.Name) {
			h.links = append(h.links, l)
		}
	}
	if err := h.call(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

type nobody struct{}

func (nobody) Introspect(context.Context, *identity.Identity, token.Raw) error {
	return revocation.ErrStale
}

// call does what a chain of these links does, making the call included.
func (h *hotPath) call(ctx context.Context) (err error) {
	c := h.chain.newCall("/"+shop.ServiceName+"/Get", false)
	c.metadata, c.ctx = h.md, ctx
	for i := range h.links {
		if c.ctx, err = h.links[i].before(c.ctx, c); err != nil {
			return err
		}
	}
	for i := range h.links {
		if f := h.links[i].message; f != nil {
			if err := f(c.ctx, c, h.request); err != nil {
				return err
			}
		}
	}
	for _, l := range slices.Backward(h.links) {
		if l.after != nil {
			err = l.after(c, err)
		}
	}
	return err
}

func rules(n int) []revocation.Rule {
	out := make([]revocation.Rule, n)
	for i := range out {
		out[i] = revocation.Rule{
			Kind: revocation.Kind(1 + i%3), Issuer: token.CurfewIssuer, ID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", i),
			Epoch: 2, KeepUntil: time.Now().Add(time.Hour),
		}
	}
	return out
}

func inMemory(t testing.TB, n int) revocation.Source {
	t.Helper()
	s := memory.New()
	if _, err := s.Revoke(rules(n)...); err != nil {
		t.Fatal(err)
	}
	return s
}

// leased returns a watcher of the feed that holds n rules and a long lease.
func leased(t testing.TB, n int) revocation.Source {
	t.Helper()
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	w, err := watcher.New(watcher.Config{
		Replica: "test", TTL: time.Hour,
		Dial: func(ctx context.Context) (message.ClientStream, error) {
			near, far := message.Pipe(ctx)
			wg.Go(func() { feed(far, n) })
			return near, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	<-w.Ready()
	return w
}

// feed sends a snapshot of n rules and grants whatever is asked for.
func feed(s message.ServerStream, n int) {
	for {
		m, err := s.Recv()
		if err != nil {
			return
		}
		var answer message.Response
		switch m := m.(type) {
		case message.Hello:
			answer = message.Snapshot{Generation: "1", HeadSeq: int64(n), Rules: rules(n)}
		case message.Renew:
			answer = message.Grant{Nonce: m.Nonce, TTL: time.Hour, Generation: "1"}
		default:
			return
		}
		if s.Send(answer) != nil {
			return
		}
	}
}

// BenchmarkHotPath is the three links alone. With -cpu 1,2 it shows whether
// calls write to something that they share: processor time of a call would
// rise. It tells calls that waited for a lock, too.
func BenchmarkHotPath(b *testing.B) {
	for _, n := range []int{0, 1_000_000} {
		for name, source := range map[string]func(testing.TB, int) revocation.Source{"memory": inMemory, "leased": leased} {
			b.Run(fmt.Sprintf("%s/rules=%d", name, n), func(b *testing.B) {
				h := newHotPath(b, source(b, n))
				defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
				b.ReportAllocs()
				b.ResetTimer()
				waited, spent := waits(), processorTime()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := h.call(context.Background()); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(processorTime()-spent)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(more(waits(), waited))/float64(b.N)*1e6, "waits/Mop")
			})
		}
	}
}

func TestThreeLinksOfACachedTokenAllocateOnceAtMost(t *testing.T) {
	for name, source := range map[string]revocation.Source{"memory": inMemory(t, 1000), "leased": leased(t, 1000)} {
		h := newHotPath(t, source)
		n := testing.AllocsPerRun(1000, func() {
			if err := h.call(context.Background()); err != nil {
				t.Error(err)
			}
		})
		if n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// processorTime is what the process has used of all processors.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Calls of several processors, on one token and one chain, wait for nothing.
func TestCallsDoNotWaitForEachOther(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0))))
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	for name, source := range map[string]revocation.Source{"memory": inMemory(t, 1000), "leased": leased(t, 1000)} {
		h := newHotPath(t, source)
		before := waits()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 8_000 {
					if err := h.call(context.Background()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		after := waits()
		if n := more(after, before); n != 0 {
			t.Errorf("%s: calls waited %d times for a lock: %v", name, n, after)
		}
	}
}

// waits counts how often calls, or what the cache of tokens does for them, made
// others wait for a lock since the start, by where. Locks inside of Go's runtime
// are not ours: who allocates takes part in a garbage collection.
func waits() map[string]int64 {
	records := make([]runtime.BlockProfileRecord, 10_000)
	n, _ := runtime.MutexProfile(records)
	found := map[string]int64{}
	for _, r := range records[:n] {
		var stack []string
		for frames := runtime.CallersFrames(r.Stack()); ; {
			f, more := frames.Next()
			stack = append(stack, f.Function)
			if !more {
				break
			}
		}
		where := strings.Join(stack, " < ")
		if strings.HasPrefix(where, "runtime.") {
			continue
		}
		if strings.Contains(where, "hotPath).call") || strings.Contains(where, "otter") {
			found[where] += r.Count
		}
	}
	return found
}

// more counts the waits of after that were not there before.
func more(after, before map[string]int64) (n int64) {
	for where, count := range after {
		n += count - before[where]
	}
	return n
}
