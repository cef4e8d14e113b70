package orders

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	relaypart "github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
	"github.com/curfew-platform/curfew/services/orders/internal/events"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
)

// A call that ends while the process drains may commit after the relay has
// ended; its event does not wait for the next process.
func TestAnEventOfADrainedCallIsPublishedBeforeTheProcessEnds(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	relay, err := events.NewRelay(events.Config{
		Outbox: shop.Store, Topic: "order-events", NewProducer: events.Producers(broker.ListenAddrs(), "order-events", 1),
		Poll: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := relaypart.AddRelay(group, "outbox relay", relay); err != nil {
		t.Fatal(err)
	}
	call := lifecycle.Part{Name: "call", Phase: lifecycle.Drain, Stop: func(context.Context) error {
		shop.Until(t, `SELECT bool_and(until < now()) FROM outbox_leases`) // the relay has ended
		shop.Order(t, uuid.New(), "a")
		return nil
	}}
	if err := group.Add(call); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-group.Started()
		shop.Until(t, `SELECT bool_and(until > now()) FROM outbox_leases`)
		group.Shutdown(nil)
	}()
	if err := group.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := shop.DB.QueryRow(t.Context(), `SELECT count(*) FROM outbox_events`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d events are left, %v", left, err)
	}
}
