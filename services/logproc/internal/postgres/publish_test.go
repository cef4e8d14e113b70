package postgres

import (
	"testing"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/deadletter"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
)

func TestDeadLettersArePublishedInBatchesOfBoundedBytes(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := take(t, s)
	b := &batch.Batch{Parts: []batch.Part{{Lease: l, To: 6, Dead: 6}}}
	for i := range int64(6) {
		id := encode.Identity{Topic: l.Topic, TopicID: l.TopicID, Partition: l.Partition, Offset: i, Timestamp: -1}
		b.Dead = append(b.Dead, batch.NewDeadLetter(id, make([]byte, 2<<20), batch.Refused, "x"))
	}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	books := &Books{Pool: d.pool, Group: group}
	var sizes []int
	for {
		letters, err := books.Unpublished(t.Context(), 100, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(letters) == 0 {
			break
		}
		var ids []int64
		for _, letter := range letters {
			ids = append(ids, letter.ID)
			if len(letter.Raw) != deadletter.KeptOfRaw || letter.Size != 2<<20 {
				t.Errorf("%d bytes of %d are read", len(letter.Raw), letter.Size)
			}
		}
		sizes = append(sizes, len(letters))
		if err := books.Published(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
	}
	// Each ends with the letter that takes it to a megabyte and more.
	if len(sizes) != 3 || sizes[0] != 2 {
		t.Errorf("batches of %v letters", sizes)
	}
}
