package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const suspectSQL = `
UPDATE ledger SET suspect_off = next_off, suspect_token = token
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND token = $5 AND next_off = $6`

// Suspect notes that the isolation process of l begins with the record at
// l.Next, so that its own death can be held against that record and no other.
func (s *Session) Suspect(ctx context.Context, l ledger.Lease) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("suspect %s: %w", l.Key, err)
	}
	tag, err := conn.Exec(ctx, suspectSQL, s.group, l.Topic, l.Partition, l.Epoch, l.Token, l.Next)
	if err != nil {
		return fmt.Errorf("suspect %s: %w", l.Key, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("suspect %s: %w", l.Key, &ledger.FencedError{Key: l.Key})
	}
	return nil
}

// Evidence is about the record, not about the owner: no epoch in the condition.
const evidenceSQL = `
UPDATE ledger SET evidence = evidence + 1, suspect_token = NULL, last_words = $5
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND suspect_token = $4 AND suspect_off = next_off
RETURNING next_off, evidence`

// AddEvidence holds the death of the isolation process with that token against
// the record it had begun with. ok is false if it had begun with none, or if
// that record has been stored since.
func (b *Books) AddEvidence(ctx context.Context, key ledger.Key, token uuid.UUID, words string) (offset int64, evidence int32, ok bool, err error) {
	rows, err := b.Pool.Query(ctx, evidenceSQL, b.Group, key.Topic, key.Partition, token, words)
	if err != nil {
		return 0, 0, false, fmt.Errorf("evidence for %s: %w", key, err)
	}
	defer rows.Close()
	if rows.Next() {
		ok = true
		if err := rows.Scan(&offset, &evidence); err != nil {
			return 0, 0, false, fmt.Errorf("evidence for %s: %w", key, err)
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return 0, 0, false, fmt.Errorf("evidence for %s: %w", key, err)
	}
	return offset, evidence, ok, nil
}
