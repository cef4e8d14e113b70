package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const (
	pipelineSQL = `
INSERT INTO pipelines (group_id, topic, start_from) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	openSQL = `
INSERT INTO ledger (group_id, topic, partition, next_off, topic_id, search_off) VALUES ($1, $2, $3, $4, $5, $4)
ON CONFLICT DO NOTHING`
)

// Begun says whether the pipeline has been opened for a topic.
func (b *Books) Begun(ctx context.Context, topic string) (begun bool, err error) {
	err = b.Pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pipelines WHERE group_id = $1 AND topic = $2)", b.Group, topic).Scan(&begun)
	if err != nil {
		return false, fmt.Errorf("pipeline of %s: %w", topic, err)
	}
	return begun, nil
}

// Open writes where the partitions of a topic begin that exist now. It does so
// once for a topic and group: partitions that appear later begin at 0.
func (b *Books) Open(ctx context.Context, topic, start string, openings []ledger.Opening) error {
	err := pgx.BeginFunc(ctx, b.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, pipelineSQL, b.Group, topic, start)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		for _, o := range openings {
			if _, err := tx.Exec(ctx, openSQL, b.Group, topic, o.Key.Partition, o.Offset, nullID(o.TopicID)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("open pipeline of %s: %w", topic, err)
	}
	return nil
}
