package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
)

const headsSQL = "SELECT topic, partition, next_off FROM ledger WHERE group_id = $1"

// Heads returns next_off of every partition.
func (r *Reader) Heads(ctx context.Context) (map[ledger.Key]int64, error) {
	rows, err := r.Pool.Query(ctx, headsSQL, r.Group)
	if err != nil {
		return nil, failed("heads", err)
	}
	heads := map[ledger.Key]int64{}
	var key ledger.Key
	var next int64
	_, err = pgx.ForEachRow(rows, []any{&key.Topic, &key.Partition, &next}, func() error {
		heads[key] = next
		return nil
	})
	if err != nil {
		return nil, failed("heads", err)
	}
	return heads, nil
}

// Newly stored rows were observed a moment ago, which BRIN finds without an
// index on offsets. A batch that waited longer for its commit is not shown.
const sinceSQL = `
WITH found AS (
    SELECT ` + logColumns + ", " + cutColumns + `, count(*) OVER () AS matching
    FROM logs
    WHERE observed_timestamp >= now() - interval '5 minutes'
      AND kafka_partition = $1 AND kafka_topic = $2
      AND ` + filterSQL + `
      AND kafka_offset >= $8 AND kafka_offset < $9
    ORDER BY kafka_offset
    LIMIT $10
), sized AS (
    SELECT *, ` + sizeColumns + ` FROM found
), summed AS (
    SELECT *, sum(bytes) OVER (ORDER BY kafka_offset ROWS UNBOUNDED PRECEDING) AS upto FROM sized
)
SELECT ` + shownColumns + `
FROM summed
WHERE upto - bytes < greatest($11, 1)
ORDER BY kafka_offset`

// Since returns newly stored records of a partition.
func (r *Reader) Since(ctx context.Context, f query.Filter, key ledger.Key, from, to int64, limit, bytes int) ([]query.Log, int64, error) {
	args := append([]any{key.Partition, key.Topic}, filterArgs(f)...)
	// One row at least, for the count.
	rows, err := r.Pool.Query(ctx, sinceSQL, append(args, from, to, max(limit, 1), bytes)...)
	if err != nil {
		return nil, 0, failed("logs of a tail", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[logRow])
	if err != nil {
		return nil, 0, failed("logs of a tail", err)
	}
	logs := make([]query.Log, 0, len(found))
	matching := int64(0)
	for i := range found {
		matching = found[i].Matching
		if len(logs) < limit {
			logs = append(logs, found[i].log())
		}
	}
	return logs, matching, nil
}
