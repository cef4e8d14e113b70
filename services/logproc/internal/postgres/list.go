package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const partitionsSQL = `
SELECT topic, partition, next_off, epoch, tries, isolate_to, evidence, topic_id, leader_epoch, updated_at
FROM ledger
WHERE group_id = $1 AND (topic, partition) > ($2, $3)
ORDER BY topic, partition
LIMIT $4`

// Entry is a row of the ledger.
type Entry struct {
	Topic       string
	Partition   int32
	NextOff     int64
	Epoch       int64
	Tries       int32
	IsolateTo   int64
	Evidence    int32
	TopicID     *uuid.UUID
	LeaderEpoch int32
	UpdatedAt   time.Time
}

// Key returns the partition.
func (e *Entry) Key() ledger.Key { return ledger.Key{Topic: e.Topic, Partition: e.Partition} }

// Partitions lists the ledger after a key, in the order of keys.
func (r *Reader) Partitions(ctx context.Context, after ledger.Key, limit int) ([]Entry, error) {
	rows, err := r.Pool.Query(ctx, partitionsSQL, r.Group, after.Topic, after.Partition, limit)
	if err != nil {
		return nil, failed("list partitions", err)
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
	if err != nil {
		return nil, failed("list partitions", err)
	}
	return entries, nil
}

// The page ends with the letter that takes it beyond $4 bytes; $5 bytes are
// shown of a value.
const deadLettersSQL = `
WITH page AS (
    SELECT *, octet_length(detail) + least(coalesce(octet_length(raw), 0), $5::int) AS bytes
    FROM dead_letters
    WHERE id < $1 AND ($2 = '' OR kafka_topic = $2)
    ORDER BY id DESC
    LIMIT $3
), summed AS (
    SELECT *, sum(bytes) OVER (ORDER BY id DESC ROWS UNBOUNDED PRECEDING) AS upto, count(*) OVER () AS matching FROM page
)
SELECT id, kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch, topic_id, reason, detail,
    substring(raw FOR $5::int) AS raw, size, sha256, created_at, published_at, matching
FROM summed
WHERE upto - bytes < $4
ORDER BY id DESC`

// A page of letters ends at lettersBytes, and shownOfRaw is what is read of one
// value: messages are limited to 4 MiB.
const (
	lettersBytes = 2 << 20
	shownOfRaw   = 1 << 20
)

// DeadLetter is a row of table dead_letters; Raw is at most 1 MiB of it.
type DeadLetter struct {
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
	SHA256           []byte `db:"sha256"`
	CreatedAt        time.Time
	PublishedAt      *time.Time
}

type listedRow struct {
	DeadLetter
	Matching int64
}

// DeadLetters lists dead letters before an id, newest first; more says that
// there may be others. A page that is not empty has at least one, however large.
func (r *Reader) DeadLetters(ctx context.Context, before int64, topic string, limit int) (letters []DeadLetter, more bool, err error) {
	rows, err := r.Pool.Query(ctx, deadLettersSQL, before, topic, limit, lettersBytes, shownOfRaw)
	if err != nil {
		return nil, false, failed("list dead letters", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[listedRow])
	if err != nil {
		return nil, false, failed("list dead letters", err)
	}
	for i := range found {
		letters = append(letters, found[i].DeadLetter)
		more = len(found) == limit || found[i].Matching > int64(len(found))
	}
	return letters, more, nil
}
