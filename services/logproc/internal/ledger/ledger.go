// Package ledger is the offset ledger: which records of a partition are in
// PostgreSQL, who may add the next ones, and what to do when Kafka's log is not
// the one that was read before.
//
// It holds decisions only. The statements are in internal/postgres, the
// questions to Kafka in internal/kafka.
package ledger

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrFenced says that the ledger's row of a partition has another owner, or is
// not where this owner left it. Whoever gets it gives the partition up and
// waits for a new grant: taking it again without one would fight for ever.
var ErrFenced = errors.New("partition has another owner")

// FencedError is ErrFenced of one partition.
type FencedError struct{ Key Key }

// Error implements error.
func (e *FencedError) Error() string { return fmt.Sprintf("%s: %s", e.Key, ErrFenced) }

// Unwrap makes errors.Is(err, ErrFenced) true.
func (e *FencedError) Unwrap() error { return ErrFenced }

// Key names a partition of a topic.
type Key struct {
	Topic     string
	Partition int32
}

// String returns topic/partition.
func (k Key) String() string { return fmt.Sprintf("%s/%d", k.Topic, k.Partition) }

// Compare orders keys by topic and partition. Every transaction touches the
// rows of its partitions in this order, so that two never wait for each other.
func (k Key) Compare(other Key) int {
	switch {
	case k.Topic < other.Topic:
		return -1
	case k.Topic > other.Topic:
		return 1
	}
	return int(k.Partition) - int(other.Partition)
}

// Grant is the right to take a partition once. The token is chosen by whoever
// grants, so that it knows the rows of an owner that never said a word.
type Grant struct {
	Key   Key
	Token uuid.UUID
}

// Lease is the ownership of a partition: the row as the take, or the last
// statement of this owner, left it.
type Lease struct {
	Key
	// Epoch grows with every take, and Token is random: after a failover of
	// PostgreSQL that lost commits two owners can hold the same number.
	Epoch int64
	Token uuid.UUID
	// TopicID is Kafka's id of the topic, zero before the first read.
	TopicID uuid.UUID
	// Next is the offset of the next record that is not stored.
	Next int64
	// LeaderEpoch is that of the last stored record, -1 if there is none.
	LeaderEpoch int32
	// Tries counts the takes before this one since the last progress.
	Tries int32
	// IsolateTo ends the range of records that are stored one at a time.
	IsolateTo int64
	// Evidence counts the deaths that the record at Next has caused.
	Evidence int32
	// LastWords is what the last of them left on standard error.
	LastWords string
}

// Suspected says whether records at or above Next may have ended an earlier
// owner. What is above end, where the log ended when this owner took the
// partition, was in nobody's work yet.
func (l Lease) Suspected(end int64) bool {
	return l.Next < l.IsolateTo && l.Next < end
}

// EvidenceLimit is how many deaths condemn a record.
const EvidenceLimit = 2

// Condemned says whether the record at Next becomes a dead letter without being
// parsed again.
func (l Lease) Condemned() bool { return l.Evidence >= EvidenceLimit }

// Opening is where a partition begins at the first start of a pipeline.
type Opening struct {
	Key     Key
	TopicID uuid.UUID
	Offset  int64
}
