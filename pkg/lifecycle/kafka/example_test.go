package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/kafka"
)

// A consumer that puts aside what it can't read, and whose stop commits everything that it has done.
func Example_consumeUntilStopped() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "payments")) // your Kafka
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	group, err := lifecycle.New(lifecycle.WithReportWriter(nil)) // by default the report goes to standard error
	if err != nil {
		fmt.Println(err)
		return
	}
	client := []kgo.Opt{
		kgo.SeedBrokers(broker.ListenAddrs()...),
		kgo.ConsumerGroup("ledger"),
		kgo.ConsumeTopics("payments"),
		kgo.DefaultProduceTopic("payments"),
	}
	process := func(_ context.Context, b *kafka.Batch) error {
		for i, r := range b.Records {
			if !strings.HasPrefix(string(r.Value), "pay ") {
				return b.Poison(i, errors.New("no payment"))
			}
			fmt.Println("booked:", string(r.Value)) // durable before Done
			b.Done(i)
			if r.Offset == 2 {
				group.Shutdown(nil) // in real life the platform sends SIGTERM
			}
		}
		return nil
	}
	aside := func(_ context.Context, r *kgo.Record, reason error) error {
		fmt.Println("put aside:", string(r.Value), "because:", reason)
		return nil
	}
	consumer, err := kafka.AddLoop(group, "ledger", client, process, kafka.WithPoison(aside))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{"pay 5", "nonsense", "pay 7"} {
		consumer.Produce(context.Background(), kgo.StringRecord(text), nil)
	}

	err = group.Run(context.Background())
	fmt.Println("exit code", lifecycle.ExitCode(err), "committed", broker.GroupInfo("ledger").Commits["payments"][0].Offset)
	// Output:
	// booked: pay 5
	// put aside: nonsense because: no payment
	// booked: pay 7
	// exit code 0 committed 3
}
