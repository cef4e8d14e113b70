package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const correctSQL = "SELECT ledger_correct($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"

// Correct moves the row to where f says and records the event, in one fenced
// statement. It returns the lease as the row is then.
func (s *Session) Correct(ctx context.Context, l ledger.Lease, f ledger.Finding) (ledger.Lease, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return l, fmt.Errorf("correct %s: %w", l.Key, err)
	}
	_, err = conn.Exec(ctx, correctSQL, s.group, l.Topic, l.Partition, l.Epoch, l.Token,
		nullID(l.TopicID), l.Next, string(f.Kind), f.Next, nullID(f.TopicID), f.LeaderEpoch, f.PossibleLoss)
	if err != nil {
		return l, fmt.Errorf("correct %s: %w", l.Key, asFenced(err, l.Key))
	}
	if f.Next != l.Next {
		l.Evidence = 0
	}
	if f.Kind == ledger.Recreated {
		l.IsolateTo = 0
	}
	l.Next, l.TopicID, l.LeaderEpoch = f.Next, f.TopicID, f.LeaderEpoch
	return l, nil
}

func nullID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

const leftSQL = `
SELECT EXISTS (SELECT FROM topic_ids WHERE group_id = $1 AND topic = $2 AND partition = $3 AND topic_id = $4)`

// HasLeft says whether the row has had that topic id before and left it.
func (s *Session) HasLeft(ctx context.Context, key ledger.Key, id uuid.UUID) (left bool, err error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return false, fmt.Errorf("topic ids of %s: %w", key, err)
	}
	if err := conn.QueryRow(ctx, leftSQL, s.group, key.Topic, key.Partition, id).Scan(&left); err != nil {
		return false, fmt.Errorf("topic ids of %s: %w", key, err)
	}
	return left, nil
}

// Each batch is of one leader epoch. Where the accounts of batches were pruned,
// the first one of a later epoch says where the earlier ended.
const storedToSQL = `
SELECT coalesce(max(to_off) FILTER (WHERE leader_epoch <= $5), min(from_off) FILTER (WHERE leader_epoch > $5), $6)
FROM batches
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND topic_id = $4`

// StoredTo returns where the records end that are stored of the lease's topic id
// and of leader epochs up to one; at most the lease's Next.
func (s *Session) StoredTo(ctx context.Context, l ledger.Lease, leaderEpoch int32) (to int64, err error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return 0, fmt.Errorf("stored part of %s: %w", l.Key, err)
	}
	if err := conn.QueryRow(ctx, storedToSQL, s.group, l.Topic, l.Partition, l.TopicID, leaderEpoch, l.Next).Scan(&to); err != nil {
		return 0, fmt.Errorf("stored part of %s: %w", l.Key, err)
	}
	return min(to, l.Next), nil
}
