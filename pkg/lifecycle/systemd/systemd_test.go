package systemd

import (
	"context"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// manager notes what it is told, and when.
type manager struct {
	mu   sync.Mutex
	told []message
}

type message struct {
	at   time.Time
	text string
}

func (m *manager) send(text string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, message{time.Now(), text})
	return nil
}

// of returns the messages that begin like this.
func (m *manager) of(prefix string) (list []message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range m.told {
		if strings.HasPrefix(msg.text, prefix) {
			list = append(list, msg)
		}
	}
	return list
}

func newGroup(t *testing.T, opts ...lifecycle.Option) *lifecycle.Group {
	t.Helper()
	g, err := lifecycle.New(append([]lifecycle.Option{
		lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard), lifecycle.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// watch adds a notifier to a group, and runs it.
func watch(t *testing.T, g *lifecycle.Group, watchdog time.Duration) (m *manager, stop func() error) {
	t.Helper()
	m = &manager{}
	n := &Notifier{g: g, send: m.send, watchdog: watchdog, quit: make(chan struct{}), done: make(chan struct{})}
	if err := n.add(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(t.Context()) }()
	return m, func() error {
		g.Shutdown(nil)
		err := <-done
		n.Finished(g.Report())
		return err
	}
}

func addPart(t *testing.T, g *lifecycle.Group, p lifecycle.Part) {
	t.Helper()
	if err := g.Add(p); err != nil {
		t.Fatal(err)
	}
}

func TestReadyIsToldWhenAllHasStartedAndStoppingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		begin := time.Now()
		addPart(t, g, lifecycle.Part{Name: "slow", Phase: lifecycle.Drain, Start: func(context.Context) error {
			<-time.After(5 * time.Second)
			return nil
		}, Stop: func(context.Context) error {
			<-time.After(2500 * time.Millisecond)
			return nil
		}})
		m, stop := watch(t, g, 0)
		<-time.After(20 * time.Second)
		if ready := m.of("READY=1"); len(ready) != 1 || ready[0].at.Sub(begin) != 5*time.Second {
			t.Errorf("%v", ready)
		}
		told := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if stopping := m.of("STOPPING=1"); len(stopping) != 1 || !stopping[0].at.Equal(told) {
			t.Errorf("%v", stopping)
		}
		want := []string{"STATUS=starting: waits for slow", "STATUS=ready", "STATUS=stopping: shutdown; drain, ", "STATUS=stopped clean in 2.5s"}
		for _, s := range m.of("STATUS=") {
			if len(want) > 0 && strings.HasPrefix(s.text, want[0]) {
				want = want[1:]
			}
		}
		if len(want) > 0 {
			t.Errorf("%q is missing in %v", want, m.of("STATUS="))
		}
		if n := len(m.of("WATCHDOG=1")) + len(m.of("EXTEND")); n != 0 {
			t.Errorf("%d messages that nobody asked for", n)
		}
	})
}

func TestASignOfLifeComesTwiceInEveryIntervalAlsoWhileStartingAndStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		wait := func(context.Context) error { <-time.After(7 * time.Second); return nil }
		addPart(t, g, lifecycle.Part{Name: "slow", Phase: lifecycle.Drain, Start: wait, Stop: wait})
		const interval = 4 * time.Second
		m, stop := watch(t, g, interval)
		last := time.Now()
		<-time.After(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		m.told = append(m.told, message{time.Now(), "WATCHDOG=1"})
		for _, beat := range m.of("WATCHDOG=1") {
			if gap := beat.at.Sub(last); gap > interval/2 {
				t.Errorf("no sign of life for %v", gap)
			}
			last = beat.at
		}
	})
}

func TestAGroupThatIsDeadGivesNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var dead atomic.Bool
		addPart(t, g, lifecycle.Part{Name: "worker", Phase: lifecycle.Drain, Health: func() lifecycle.Health {
			if dead.Load() {
				return lifecycle.Health{Condition: lifecycle.Dead, Reason: "lost its\nsession"}
			}
			return lifecycle.Health{}
		}})
		m, stop := watch(t, g, 4*time.Second)
		<-time.After(time.Minute)
		dead.Store(true)
		<-time.After(time.Second)
		before := len(m.of("WATCHDOG=1"))
		<-time.After(time.Minute)
		if after := len(m.of("WATCHDOG=1")); after != before || before < 30 {
			t.Errorf("%d signs of life, then %d", before, after)
		}
		if len(m.of("STATUS=not ready; worker is dead: lost its session")) != 1 {
			t.Errorf("%v", m.of("STATUS="))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestMoreTimeIsAskedForOnlyWhileWhatRemainsBecomesLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithGrace(10*time.Minute))
		var left atomic.Int64
		left.Store(100)
		began := make(chan struct{})
		addPart(t, g, lifecycle.Part{Name: "queue", Phase: lifecycle.Drain, Remaining: left.Load, Stop: func(context.Context) error {
			close(began)
			for left.Load() > 0 {
				<-time.After(time.Second)
			}
			return nil
		}})
		m, stop := watch(t, g, 0)
		<-time.After(10500 * time.Millisecond) // between two looks
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		<-began
		work := func(d time.Duration, step int64) (extensions int) {
			before := len(m.of("EXTEND_TIMEOUT_USEC="))
			for range d / time.Second {
				<-time.After(time.Second)
				left.Add(step)
			}
			<-time.After(time.Second) // for the last look
			return len(m.of("EXTEND_TIMEOUT_USEC=")) - before
		}
		if n := work(20*time.Second, 0); n > 0 {
			t.Errorf("%d extensions without progress", n)
		}
		if n := work(30*time.Second, -1); n < 28 {
			t.Errorf("%d extensions in 30 s of progress", n)
		}
		if n := work(20*time.Second, 1); n > 0 {
			t.Errorf("%d extensions while it becomes more", n)
		}
		if n := work(20*time.Second, -1); n > 0 {
			t.Errorf("%d extensions for work that was done before", n)
		}
		left.Store(0)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		for _, e := range m.of("EXTEND_TIMEOUT_USEC=") {
			usec, err := strconv.Atoi(strings.TrimPrefix(e.text, "EXTEND_TIMEOUT_USEC="))
			if err != nil || time.Duration(usec)*time.Microsecond != extendTime {
				t.Errorf("%q", e.text)
			}
		}
	})
}

func TestNoMoreTimeIsAskedForThanTheGroupTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithGrace(15*time.Second))
		var left atomic.Int64
		left.Store(math.MaxInt64)
		addPart(t, g, lifecycle.Part{Name: "queue", Phase: lifecycle.Drain, Remaining: func() int64 { return left.Add(-1) }, Stop: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		m, stop := watch(t, g, 0)
		<-time.After(10 * time.Second)
		begin := time.Now()
		_ = stop() // it was forced
		extensions := m.of("EXTEND_TIMEOUT_USEC=")
		if len(extensions) < 5 {
			t.Errorf("%d extensions", len(extensions))
		}
		for _, e := range extensions {
			usec, _ := strconv.Atoi(strings.TrimPrefix(e.text, "EXTEND_TIMEOUT_USEC="))
			if end := e.at.Add(time.Duration(usec) * time.Microsecond); end.Sub(begin) > 15*time.Second {
				t.Errorf("asked for time until %v after the beginning, the grace is 15 s", end.Sub(begin))
			}
		}
	})
}

func TestAStatusIsOneLine(t *testing.T) {
	if got := line("a\nWATCHDOG=1\x00\tb"); strings.ContainsAny(got, "\n\x00\t") {
		t.Errorf("%q", got)
	}
	if got := line(strings.Repeat("ä", maxStatus)); len(got) > maxStatus || !strings.HasSuffix(got, "ä") {
		t.Errorf("%q", got)
	}
}
