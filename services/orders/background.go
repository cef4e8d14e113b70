package orders

import (
	"context"
	"fmt"
	"time"

	relaypart "github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
	poolpart "github.com/curfew-platform/curfew/pkg/lifecycle/postgres"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/orders/internal/events"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/payment/simulated"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

const (
	// applyLimit bounds the transaction that applies an answer of the provider.
	applyLimit = 5 * time.Second
	// How often the background looks for work. Commands wake payments and
	// relay at once; these are for what others left behind.
	paymentPoll = 500 * time.Millisecond
	relayPoll   = 200 * time.Millisecond
	expirePoll  = time.Second
	foldPoll    = 2 * time.Second
	cleanUpPoll = time.Minute
	// batch is how many rows one round of the background takes.
	batch = 500
	// paymentWorkers is how many attempts are worked on at a time.
	paymentWorkers = 2
)

// addCommands adds what commands need and what works for them in the background.
func (s *services) addCommands(ctx context.Context, rt *server.Runtime, cfg *Config) error {
	db, err := cfg.Database.Serving(rt.Log).Open(ctx, "simulated-provider")
	if err != nil {
		return err
	}
	if err := poolpart.Add(rt.Group, "simulated provider", db); err != nil {
		return err
	}
	s.payments = payment.NewDriver(s.store, simulated.New(db), payment.Timeouts{Call: cfg.ProviderTimeout, Apply: applyLimit}, rt.Log)
	worker := payment.NewWorker(s.payments, paymentPoll)
	for i := range paymentWorkers {
		rt.Group.Go(fmt.Sprintf("payments %d", i+1), worker.Run)
	}
	relay, err := events.NewRelay(events.Config{
		Outbox:      s.store,
		Topic:       cfg.EventsTopic,
		NewProducer: events.Producers(cfg.KafkaBrokers, cfg.EventsTopic, cfg.EventsPartitions, cfg.Kafka.Options(rt.LocalLog)...),
		Poll:        relayPoll,
		Log:         rt.Log,
	})
	if err != nil {
		return err
	}
	if err := relaypart.AddRelay(rt.Group, "outbox relay", relay); err != nil {
		return err
	}
	s.changed, s.owed = relay.Wake, worker.Wake
	for name, job := range jobs(s.store) {
		rt.Group.Every(name, job.every, job.every/4, job.run)
	}
	return nil
}

// job does one bounded round and says how many rows it took.
type job struct {
	every time.Duration
	round func(ctx context.Context, limit int) (int, error)
}

func jobs(store *postgres.Store) map[string]job {
	return map[string]job{
		"expire orders":     {expirePoll, store.ExpireOrders},
		"fold statistics":   {foldPoll, store.FoldStats},
		"clean up requests": {cleanUpPoll, store.CleanUpRequests},
	}
}

// run takes rounds until there is no full one to be had. Every round begins with
// what is in the database.
func (j job) run(ctx context.Context) error {
	for {
		if n, err := j.round(ctx, batch); err != nil || n < batch {
			return err
		}
	}
}
