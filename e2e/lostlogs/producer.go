package lostlogs

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// CreateTopic makes a topic with the given partitions.
func CreateTopic(ctx context.Context, brokers []string, topic string, partitions int32) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// Fill writes n JSON log records round robin over the partitions, as a foreign
// producer would, and returns when the broker has acknowledged all.
func Fill(ctx context.Context, brokers []string, topic string, partitions int32, n int) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(20_000),
		kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	var failure atomic.Pointer[error]
	for i := range n {
		r := &kgo.Record{Partition: int32(i) % partitions, Value: Record(i)}
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failure.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	if err := failure.Load(); err != nil {
		return fmt.Errorf("produce: %w", *err)
	}
	return nil
}

// Record is the i-th log line: about 300 bytes of JSON.
func Record(i int) []byte {
	return fmt.Appendf(nil, `{"timestamp":"%s","severity":"INFO","service":"checkout","message":"order %08d was priced in %d ms",`+
		`"trace_id":"%032x","span_id":"%016x","attributes":{"http.method":"POST","http.route":"/v1/orders","http.status_code":200,"region":"eu-central-1","pod":"checkout-%d"}}`,
		time.Now().UTC().Format(time.RFC3339Nano), i, i%97, i, i, i%10)
}
