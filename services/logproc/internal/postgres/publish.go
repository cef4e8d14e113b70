package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/logproc/internal/deadletter"
)

const (
	// The batch ends with the letter that takes it beyond $2 bytes; $3 bytes are
	// read of a value.
	unpublishedSQL = `
WITH page AS (
    SELECT *, octet_length(detail) + least(coalesce(octet_length(raw), 0), $3::int) AS bytes
    FROM dead_letters WHERE published_at IS NULL ORDER BY id LIMIT $1
), summed AS (
    SELECT *, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS upto FROM page
)
SELECT id, kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch, topic_id, reason, detail,
    substring(raw FOR $3::int) AS raw, size
FROM summed WHERE upto - bytes < $2 ORDER BY id`
	publishedSQL = "UPDATE dead_letters SET published_at = now() WHERE id = ANY($1) AND published_at IS NULL"
)

type letterRow struct {
	ID               int64
	KafkaTopic       string
	KafkaPartition   int32
	KafkaOffset      int64
	KafkaLeaderEpoch int32
	TopicID          uuid.UUID
	Reason           string
	Detail           string
	Raw              []byte
	Size             int64
}

// Unpublished returns dead letters that the dead-letter topic has not got,
// oldest first: at most limit, and no more after bytes. Of a value they have
// deadletter.KeptOfRaw.
func (b *Books) Unpublished(ctx context.Context, limit, bytes int) ([]deadletter.Letter, error) {
	rows, err := b.Pool.Query(ctx, unpublishedSQL, limit, bytes, deadletter.KeptOfRaw)
	if err != nil {
		return nil, fmt.Errorf("unpublished dead letters: %w", err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowToStructByName[letterRow])
	if err != nil {
		return nil, fmt.Errorf("unpublished dead letters: %w", err)
	}
	list := make([]deadletter.Letter, len(letters))
	for i, l := range letters {
		list[i] = deadletter.Letter{
			ID: l.ID, Topic: l.KafkaTopic, TopicID: l.TopicID, Partition: l.KafkaPartition, Offset: l.KafkaOffset,
			LeaderEpoch: l.KafkaLeaderEpoch, Reason: l.Reason, Detail: l.Detail, Raw: l.Raw, Size: l.Size,
		}
	}
	return list, nil
}

// Published notes that the dead-letter topic has got them.
func (b *Books) Published(ctx context.Context, ids []int64) error {
	if _, err := b.Pool.Exec(ctx, publishedSQL, ids); err != nil {
		return fmt.Errorf("published dead letters: %w", err)
	}
	return nil
}
