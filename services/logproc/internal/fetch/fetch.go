// Package fetch is what the pipeline reads from Kafka, without the client that
// reads it.
package fetch

import (
	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// Record is one record of a partition.
type Record struct {
	Offset int64
	// LeaderEpoch is that of the leader that appended it.
	LeaderEpoch int32
	// Timestamp is Kafka's time in microseconds since 1970, -1 if it has none.
	Timestamp int64
	// Value is nil for a tombstone.
	Value []byte
	// Control marks what is no record but takes an offset: the end of a
	// transaction.
	Control bool
}

// Chunk is a run of records of one partition, in the order of their offsets,
// or an error after which the partition has to be checked again.
type Chunk struct {
	Key     ledger.Key
	TopicID uuid.UUID
	Records []Record
	Err     error
}

// Start is where to read a partition from.
type Start struct {
	Key    ledger.Key
	Offset int64
	// LeaderEpoch of the record before it, or of the present leader.
	LeaderEpoch int32
}
