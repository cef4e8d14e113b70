package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// The row lock of the upsert serialises a take with the commit of a dying
// owner, so what it returns is final. tries is that before this take.
const takeSQL = `
INSERT INTO ledger AS l (group_id, topic, partition, epoch, token, tries)
VALUES ($1, $2, $3, 1, $4, 1)
ON CONFLICT (group_id, topic, partition) DO UPDATE
SET epoch = l.epoch + 1, token = excluded.token, tries = l.tries + 1, updated_at = clock_timestamp(),
    isolate_to = CASE WHEN l.tries >= 1 THEN greatest(l.isolate_to, l.next_off + $5) ELSE l.isolate_to END
RETURNING epoch, token, topic_id, next_off, leader_epoch, tries - 1 AS tries, isolate_to, evidence, last_words`

type leaseRow struct {
	Epoch       int64
	Token       uuid.UUID
	TopicID     *uuid.UUID
	NextOff     int64
	LeaderEpoch int32
	Tries       int32
	IsolateTo   int64
	Evidence    int32
	LastWords   string
}

func (r leaseRow) lease(key ledger.Key) ledger.Lease {
	l := ledger.Lease{
		Key: key, Epoch: r.Epoch, Token: r.Token, Next: r.NextOff, LeaderEpoch: r.LeaderEpoch,
		Tries: r.Tries, IsolateTo: r.IsolateTo, Evidence: r.Evidence, LastWords: r.LastWords,
	}
	if r.TopicID != nil {
		l.TopicID = *r.TopicID
	}
	return l
}

// Take makes the grant's holder the owner, whoever was it before. span is the
// largest range of offsets that an owner may have had in work: if the owners
// before made no progress, that range is suspected.
func (s *Session) Take(ctx context.Context, g ledger.Grant, span int64) (ledger.Lease, error) {
	return s.leaseOf(ctx, "take", g.Key, takeSQL, s.group, g.Key.Topic, g.Key.Partition, g.Token, span)
}

// The condition makes it final: it waits for the row lock of the backend that
// may still be committing, and a ghost of the old epoch can do nothing after.
const recoverSQL = `
UPDATE ledger SET epoch = epoch + 1, updated_at = clock_timestamp()
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND token = $5
RETURNING epoch, token, topic_id, next_off, leader_epoch, tries, isolate_to, evidence, last_words`

// Recover continues a lease under a new epoch after the connection was lost
// with a batch under way. FencedError: somebody else has the partition.
func (s *Session) Recover(ctx context.Context, l ledger.Lease) (ledger.Lease, error) {
	return s.leaseOf(ctx, "recover", l.Key, recoverSQL, s.group, l.Topic, l.Partition, l.Epoch, l.Token)
}

func (s *Session) leaseOf(ctx context.Context, what string, key ledger.Key, sql string, args ...any) (ledger.Lease, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return ledger.Lease{}, fmt.Errorf("%s %s: %w", what, key, err)
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return ledger.Lease{}, fmt.Errorf("%s %s: %w", what, key, err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[leaseRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.Lease{}, &ledger.FencedError{Key: key}
	}
	if err != nil {
		return ledger.Lease{}, fmt.Errorf("%s %s: %w", what, key, err)
	}
	return row.lease(key), nil
}
