// Package dedup is the consumer's side of at-least-once events: it says whether
// the version of a thing is new to this consumer. Events of the platform carry
// (key, version), the first occurrences of a key are its versions in order, and
// an old one may come again at any time, also after a newer one. So a consumer
// keeps the last version of each key and drops what is not newer.
//
// The mark is written in the consumer's own transaction, with the effect of the
// event: then the effect happens exactly once, however often the consumer dies.
// The table is part of the consumer's migrations:
//
//	CREATE TABLE consumed_versions (
//	  consumer text NOT NULL, key text NOT NULL, version bigint NOT NULL,
//	  PRIMARY KEY (consumer, key));
//
// A search index needs no table: give it the version as external version.
package dedup

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Tx is the transaction in which the event takes effect.
type Tx interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

const admitSQL = `INSERT INTO consumed_versions AS c (consumer, key, version) VALUES ($1, $2, $3)
ON CONFLICT (consumer, key) DO UPDATE SET version = excluded.version WHERE c.version < excluded.version`

// Admit reports whether the version is newer than all that the consumer saw of
// the key, and notes it. Apply the event if and only if it is, in tx. Two
// consumers of one name wait for each other per key.
func Admit(ctx context.Context, tx Tx, consumer, key string, version int64) (bool, error) {
	tag, err := tx.Exec(ctx, admitSQL, consumer, key, version)
	if err != nil {
		return false, fmt.Errorf("admit version: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}
