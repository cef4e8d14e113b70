package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// deliveryLimit bounds how long one record is tried before the session ends.
	deliveryLimit = 15 * time.Second
	topicLimit    = 10 * time.Second
	// brokerDefault leaves the replication factor to the broker (KIP-464).
	brokerDefault = -1
)

// Producers returns what makes the producer of a session: idempotent, waiting
// for all in-sync replicas, one record failing for good fails the session. It
// creates the topic if it is missing and refuses a compacted one, where an old
// event that comes again would replace a newer one.
//
// security is how the brokers are reached.
func Producers(brokers []string, topic string, partitions int32, security ...kgo.Opt) func(context.Context) (*kgo.Client, error) {
	return func(ctx context.Context) (*kgo.Client, error) {
		client, err := kgo.NewClient(append(slices.Clone(security),
			kgo.SeedBrokers(brokers...),
			kgo.ClientID("orders-outbox"),
			kgo.RequiredAcks(kgo.AllISRAcks()),
			kgo.RecordDeliveryTimeout(deliveryLimit),
			kgo.ProducerLinger(0),
		)...)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, topicLimit)
		defer cancel()
		if err := checkTopic(ctx, kadm.NewClient(client), topic, partitions); err != nil {
			client.Close()
			return nil, err
		}
		return client, nil
	}
}

func checkTopic(ctx context.Context, admin *kadm.Client, topic string, partitions int32) error {
	created, err := admin.CreateTopic(ctx, partitions, brokerDefault, nil, topic)
	if err == nil {
		err = created.Err
	}
	// Who may not create topics relies on one that is there.
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) && !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", topic, err)
	}
	for _, c := range configs {
		for _, entry := range c.Configs {
			if entry.Key == "cleanup.policy" && entry.MaybeValue() != "" && entry.MaybeValue() != "delete" {
				return fmt.Errorf("topic %s has cleanup.policy=%s: events of orders need delete", topic, entry.MaybeValue())
			}
		}
	}
	return nil
}
