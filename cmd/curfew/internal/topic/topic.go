// Package topic makes the Kafka topics of an environment.
package topic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Create makes the topics, by name and number of partitions, that the cluster
// does not have. It waits up to 30 s for the cluster.
func Create(ctx context.Context, brokers []string, partitions map[string]int32) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return fmt.Errorf("make a kafka client: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for name, count := range partitions {
		const defaultReplication = -1
		_, err := admin.CreateTopic(ctx, count, defaultReplication, nil, name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
	}
	return nil
}
