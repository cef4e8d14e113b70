// Package lostlogs is the second story: a log processor is stopped while it
// reads at full speed, and somebody counts afterwards.
package lostlogs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Count is what became of the records of a topic.
type Count struct {
	InKafka    int64
	Stored     int64 // different records that are stored or dead-lettered
	Lost       int64 // in Kafka and in no table
	Duplicated int64 // rows beyond the first of a record
}

// Holds tells whether every record is there exactly once.
func (c Count) Holds() bool { return c.Lost == 0 && c.Duplicated == 0 && c.Stored == c.InKafka }

// Oracle compares a topic with tables that have the columns kafka_partition
// and kafka_offset. where may restrict the rows to the topic.
func Oracle(ctx context.Context, brokers []string, topic, databaseURL, rows string, args ...any) (Count, error) {
	ends, err := endOffsets(ctx, brokers, topic)
	if err != nil {
		return Count{}, err
	}
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return Count{}, fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close(ctx)
	var c Count
	var all int64
	err = conn.QueryRow(ctx, "SELECT count(*), count(DISTINCT (kafka_partition, kafka_offset)) FROM ("+rows+") AS r", args...).Scan(&all, &c.Stored)
	if err != nil {
		return Count{}, fmt.Errorf("count rows: %w", err)
	}
	for _, end := range ends {
		c.InKafka += end
	}
	// A topic without transactions and compaction has no holes: each offset
	// below the end is a record.
	c.Lost = c.InKafka - c.Stored
	c.Duplicated = all - c.Stored
	return c, nil
}

// endOffsets returns the high watermark of every partition.
func endOffsets(ctx context.Context, brokers []string, topic string) (map[int32]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	if err := listed.Error(); err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// committed returns the sum of the committed offsets of a group.
func committed(ctx context.Context, brokers []string, group, topic string) (int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return 0, fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, group)
	if err != nil {
		return 0, fmt.Errorf("fetch offsets: %w", err)
	}
	var sum int64
	for _, o := range offsets.Offsets().KOffsets()[topic] {
		sum += o.EpochOffset().Offset
	}
	return sum, nil
}
