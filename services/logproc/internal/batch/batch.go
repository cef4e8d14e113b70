// Package batch is what one transaction stores: rows and dead letters of some
// partitions, and how far that moves each of them in the ledger.
package batch

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// Batch is one transaction.
type Batch struct {
	// Parts are the partitions, in ascending order of their keys.
	Parts []Part
	// Dead are the dead letters of all partitions.
	Dead []DeadLetter
}

// Part is one partition of a batch.
type Part struct {
	// Lease is the ownership under which it is stored; its Next is where the
	// ledger has to be.
	Lease ledger.Lease
	// To is one above the last record: holes of transactions and compaction
	// are passed with it.
	To int64
	// LeaderEpoch is that of the last record.
	LeaderEpoch int32
	// Stored, Dead and Sampled count records.
	Stored, Dead, Sampled int64
	// Isolated says that it is stored one record at a time.
	Isolated bool
	// Rows are the encoded rows.
	Rows [][]byte
}

// Read is the number of records.
func (p *Part) Read() int64 { return p.Stored + p.Dead + p.Sampled }

// RowCount is the number of rows of table logs.
func (b *Batch) RowCount() int {
	n := int64(0)
	for i := range b.Parts {
		n += b.Parts[i].Stored
	}
	return int(n)
}

// Rows are the encoded rows of all parts.
func (b *Batch) Rows() [][]byte {
	var rows [][]byte
	for i := range b.Parts {
		rows = append(rows, b.Parts[i].Rows...)
	}
	return rows
}

// Reason is why a record is a dead letter.
type Reason string

// The reasons, as table dead_letters spells them.
const (
	TooLarge Reason = "too_large"
	Refused  Reason = "refused"
	Crashed  Reason = "crashed"
)

const (
	// MaxValue is the largest value, in bytes, that is stored as a log.
	MaxValue = 8 << 20
	// KeptOfLarge is how much of a larger one is kept.
	KeptOfLarge = 64 << 10
	maxDetail   = 16 << 10
)

// DeadLetter is a record that cannot be a log.
type DeadLetter struct {
	Identity encode.Identity
	Reason   Reason
	Detail   string
	// Raw is the value, or the beginning of one that is too large.
	Raw []byte
	// Size and SHA256 are of the whole value.
	Size   int64
	SHA256 [sha256.Size]byte
}

// NewDeadLetter keeps value with the reason why it is no log.
func NewDeadLetter(id encode.Identity, value []byte, reason Reason, detail string) DeadLetter {
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	if !utf8.ValidString(detail) || strings.ContainsRune(detail, 0) {
		detail = strings.ReplaceAll(strings.ToValidUTF8(detail, "\uFFFD"), "\x00", "\uFFFD")
	}
	d := DeadLetter{Identity: id, Reason: reason, Detail: detail, Raw: value, Size: int64(len(value)), SHA256: sha256.Sum256(value)}
	if reason == TooLarge {
		d.Raw = value[:min(len(value), KeptOfLarge)]
	}
	return d
}

// HasTimestamp says whether Kafka's time can be stored.
func (d *DeadLetter) HasTimestamp() bool { return record.Storable(d.Identity.Timestamp) }

// RefusedError says that PostgreSQL will never take these rows.
type RefusedError struct {
	// State is the SQLSTATE, of class 22 or 23.
	State string
	// Message is PostgreSQL's.
	Message string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused: %s (SQLSTATE %s)", e.Message, e.State)
}

// UnknownError says that COMMIT was sent and not answered.
type UnknownError struct {
	// XID is the transaction, for Committed.
	XID uint64
	Err error
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("outcome of transaction %d is unknown: %v", e.XID, e.Err)
}

// Unwrap returns what broke the connection.
func (e *UnknownError) Unwrap() error { return e.Err }
