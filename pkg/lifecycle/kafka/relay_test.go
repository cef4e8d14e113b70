package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
)

// memory is an outbox in memory, behind which other relays may be.
type memory struct {
	mu      sync.Mutex
	next    int64
	waiting []kafka.Message
	other   bool // another relay has all leases
	held    bool // this one has
	reads   int
	hang    chan struct{} // if not nil, reads wait for its end, whatever their context says
}

func (m *memory) Lease(context.Context, time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = !m.other
	return m.held, nil
}

func (m *memory) Unpublished(_ context.Context, limit int) ([]kafka.Message, error) {
	m.mu.Lock()
	hang := m.hang
	m.mu.Unlock()
	if hang != nil {
		<-hang
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	var batch []kafka.Message
	for _, w := range m.waiting[:min(limit, len(m.waiting))] {
		record := *w.Record // a record that was produced can't be produced again
		batch = append(batch, kafka.Message{ID: w.ID, Record: &record})
	}
	return batch, nil
}

func (m *memory) Published(_ context.Context, ids []int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = slices.DeleteFunc(m.waiting, func(w kafka.Message) bool { return slices.Contains(ids, w.ID) })
	return nil
}

func (m *memory) Release(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = false
	return nil
}

// write adds messages of a few keys.
func (m *memory) write(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.next++
		m.waiting = append(m.waiting, kafka.Message{ID: m.next, Record: &kgo.Record{
			Topic: topic, Key: fmt.Append(nil, m.next%7), Value: fmt.Append(nil, m.next),
		}})
	}
}

// writeWith adds messages of one key.
func (m *memory) writeWith(key []byte, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.next++
		m.waiting = append(m.waiting, kafka.Message{ID: m.next, Record: &kgo.Record{
			Topic: topic, Key: key, Value: fmt.Append(nil, m.next),
		}})
	}
}

func (m *memory) left() (waiting int, held bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting), m.held
}

// relay adds a relay of an outbox.
func relay(t *testing.T, g *lifecycle.Group, b *broker, m *memory) *kafka.Relay {
	t.Helper()
	r, err := kafka.NewRelay(kafka.RelayConfig{
		Outbox: m, Poll: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
		NewProducer: func(context.Context) (*kgo.Client, error) {
			return kgo.NewClient(b.options(kafka.ClientOptions()...)...)
		},
	})
	if err == nil {
		err = kafka.AddRelay(g, "relay", r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheMessagesOfAKeyArePublishedInOrderAndWhatTheLastCallsWroteBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		m := &memory{}
		m.write(300)
		relay(t, g, b, m)
		addPart(t, g, lifecycle.Part{Name: "calls", Phase: lifecycle.Drain, Stop: func(context.Context) error {
			<-time.After(5 * time.Second) // the relay has ended by then
			m.write(50)
			return nil
		}})
		stop := run(t, g)
		<-time.After(10 * time.Second)
		if n, held := m.left(); n != 0 || !held {
			t.Errorf("%d messages wait, held: %v", n, held)
		}
		if _, err := stop(); err != nil {
			t.Error(err)
		}
		if n, held := m.left(); n != 0 || held {
			t.Errorf("after the stop %d messages wait, held: %v", n, held)
		}
		newest := map[string]int{}
		for _, r := range b.read(350) {
			var n int
			if _, err := fmt.Sscan(string(r.Value), &n); err != nil || n <= newest[string(r.Key)] {
				t.Errorf("message %s of key %s comes after %d", r.Value, r.Key, newest[string(r.Key)])
			}
			newest[string(r.Key)] = n
		}
	})
}

func TestABacklogOfOneKeyIsPublishedWithoutPauses(t *testing.T) {
	for name, n := range map[string]int{"more than a batch": 500, "less than a batch": 150} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				defer b.close()
				g := newGroup(t)
				m := &memory{}
				m.writeWith([]byte("the only one"), n)
				relay(t, g, b, m)
				stop := run(t, g)
				<-time.After(time.Second)
				if n, _ := m.left(); n != 0 {
					t.Errorf("%d messages wait", n)
				}
				if _, err := stop(); err != nil {
					t.Error(err)
				}
				newest := 0
				for _, r := range b.read(n) {
					var n int
					if _, err := fmt.Sscan(string(r.Value), &n); err != nil || n != newest+1 {
						t.Errorf("message %s comes after %d", r.Value, newest)
					}
					newest = n
				}
			})
		})
	}
}

func TestMessagesWithoutAKeyLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		m := &memory{}
		m.writeWith(nil, 150)
		relay(t, g, b, m)
		stop := run(t, g)
		<-time.After(time.Second)
		m.mu.Lock()
		left, reads := len(m.waiting), m.reads
		m.mu.Unlock()
		if left != 0 || reads > 20 {
			t.Errorf("%d messages wait after %d reads", left, reads)
		}
		if _, err := stop(); err != nil {
			t.Error(err)
		}
		b.read(150)
	})
}

func TestARelayWithoutLeasesPublishesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		m := &memory{other: true}
		m.write(10)
		relay(t, g, b, m)
		stop := run(t, g)
		<-time.After(10 * time.Second)
		if took, err := stop(); err != nil || took > time.Second {
			t.Errorf("took %v, %v", took, err)
		}
		if n, _ := m.left(); n != 10 {
			t.Errorf("%d messages wait", n)
		}
	})
}

func TestWhatAFrozenBrokerDoesNotTakeStaysInTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		m := &memory{}
		r := relay(t, g, b, m)
		stop := run(t, g)
		<-time.After(10 * time.Second)
		b.frozen.Store(true)
		m.write(10)
		r.Wake()
		<-time.After(time.Second)
		if took, err := stop(); err != nil || took > 7*time.Second {
			t.Errorf("took %v, %v", took, err)
		}
		if n, held := m.left(); n != 10 || held {
			t.Errorf("%d messages wait, held: %v", n, held)
		}
		<-time.After(5 * time.Minute)
	})
}

func TestAnOutboxThatDoesNotAnswerHoldsUpNoFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		defer b.close()
		g := newGroup(t)
		m := &memory{hang: make(chan struct{})}
		relay(t, g, b, m)
		stop := run(t, g)
		<-time.After(10 * time.Second)
		_, err := stop()
		if code := lifecycle.ExitCode(err); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d of %v", code, err)
		}
		if p := part(t, g, lifecycle.Commit, "relay/flush"); p.Outcome != lifecycle.Clean || time.Duration(p.Used) > 2*time.Second {
			t.Errorf("%+v", p)
		}
		close(m.hang)
		<-time.After(time.Minute)
	})
}

func TestARelayNeedsEverySetting(t *testing.T) {
	if _, err := kafka.NewRelay(kafka.RelayConfig{}); err == nil {
		t.Error("accepted")
	}
	if err := kafka.AddRelay(newGroup(t), "relay", nil); err == nil {
		t.Error("accepted")
	}
}

// read returns the first records of the topic.
func (b *broker) read(n int) (records []*kgo.Record) {
	b.t.Helper()
	cl := b.client(kgo.ConsumeTopics(topic))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	for len(records) < n && ctx.Err() == nil {
		records = append(records, cl.PollFetches(ctx).Records()...)
	}
	if len(records) != n {
		b.t.Errorf("the broker has %d records of %d", len(records), n)
	}
	return records
}

func addPart(t *testing.T, g *lifecycle.Group, p lifecycle.Part) {
	t.Helper()
	if err := g.Add(p); err != nil {
		t.Fatal(err)
	}
}
