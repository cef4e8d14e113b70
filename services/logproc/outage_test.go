package logproc

import (
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// strait is a TCP proxy in front of PostgreSQL that can freeze: packets are
// neither passed nor refused, as in a partitioned network.
type strait struct {
	listener net.Listener
	mu       sync.Mutex
	frozen   chan struct{} // closed while it flows
}

func newStrait(t *testing.T, target string) *strait {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &strait{listener: l, frozen: make(chan struct{})}
	close(s.frozen)
	var wait sync.WaitGroup
	var conns sync.Map
	wait.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			conns.Store(near, nil)
			conns.Store(far, nil)
			wait.Go(func() { s.pass(near, far) })
			wait.Go(func() { s.pass(far, near) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.thaw()
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		wait.Wait()
	})
	return s
}

func (s *strait) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		s.mu.Lock()
		flows := s.frozen
		s.mu.Unlock()
		<-flows
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *strait) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = make(chan struct{})
}

func (s *strait) thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.frozen:
	default:
		close(s.frozen)
	}
}

func TestAStopWithoutPostgresEndsInTimeAndClaimsNothingThatIsNotKnown(t *testing.T) {
	b := newBed(t, fakeBrokers(t))
	const records = 48_000
	b.topic(t, "outage", 16)
	var list []*kgo.Record
	for n := range records {
		list = append(list, jsonRecord(int32(n%16), n))
	}
	b.produce(t, "outage", list...)
	address, err := url.Parse(b.database)
	if err != nil {
		t.Fatal(err)
	}
	s := newStrait(t, address.Host)
	address.Host = s.listener.Addr().String()
	p := b.start(t, "outage", "--database-url", address.String())
	eventually(t, "it reads", func() bool { return b.stored(t, "outage") > 0 })
	s.freeze()
	begun := time.Now()
	line, numbers := p.stop(t)
	t.Logf("%v: %s", time.Since(begun), line)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the stop took %v of a grace of 30s", took)
	}
	if numbers[6] != 0 || numbers[1]+numbers[2]+numbers[4]+numbers[5] != numbers[0] {
		t.Errorf("the line does not add up: %s", line)
	}
	s.thaw()
	p = b.start(t, "outage")
	b.awaitStored(t, "outage", records)
	p.stop(t)
	b.judge(t, "outage")
}
