// Package deadletter feeds the dead-letter topic from the table, which is the
// truth: at least once, with the record's identity as the key, by which
// consumers drop repeats.
package deadletter

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Letter is what the topic gets.
type Letter struct {
	ID          int64
	Topic       string
	TopicID     uuid.UUID
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	Reason      string
	Detail      string
	// Raw is the value, or its beginning; Size is that of the whole.
	Raw  []byte
	Size int64
}

// Key is the identity of the record, fixed width, so that it sorts.
func (l *Letter) Key() []byte {
	return fmt.Appendf(nil, "%s-%08x-%08x-%016x", l.TopicID, uint32(l.Partition), uint32(l.LeaderEpoch), uint64(l.Offset))
}

// KeptOfRaw is how many bytes of a value are sent: brokers take a megabyte by
// default, and the table has the rest.
const KeptOfRaw = 512 << 10

// Table is the truth.
type Table interface {
	// Unpublished returns letters that the topic has not got, oldest first: at
	// most limit, and no more after bytes.
	Unpublished(ctx context.Context, limit, bytes int) ([]Letter, error)
	// Published notes that it has.
	Published(ctx context.Context, ids []int64) error
}

// Topic takes letters; Produce returns when all are acknowledged, or will never
// be and are left to the table.
type Topic interface {
	Produce(ctx context.Context, letters []Letter) error
}

const (
	every    = time.Second
	batch    = 100
	maxBytes = 4 << 20
	timeout  = 10 * time.Second
)

// Feeder feeds a topic from a table.
type Feeder struct {
	Table Table
	Topic Topic
	Log   *slog.Logger
}

// Run feeds until ctx ends.
func (f *Feeder) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := f.feed(ctx); err != nil && ctx.Err() == nil {
			f.Log.WarnContext(ctx, "dead letters are not published yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// feed publishes what there is. A crash between the two steps publishes the
// same letters again.
func (f *Feeder) feed(ctx context.Context) error {
	for {
		call, cancel := context.WithTimeout(ctx, timeout)
		n, err := f.once(call)
		cancel()
		if err != nil || n == 0 {
			return err
		}
	}
}

func (f *Feeder) once(ctx context.Context) (int, error) {
	letters, err := f.Table.Unpublished(ctx, batch, maxBytes)
	if err != nil || len(letters) == 0 {
		return 0, err
	}
	if err := f.Topic.Produce(ctx, letters); err != nil {
		return 0, err
	}
	ids := make([]int64, len(letters))
	for i := range letters {
		ids[i] = letters[i].ID
	}
	return len(letters), f.Table.Published(ctx, ids)
}
