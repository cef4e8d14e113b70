package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const (
	// READ COMMITTED, so that ledger_advance sees the row as it is when it has
	// its lock. The id is asked for at once: it has to be known before COMMIT
	// is sent, because that is what may stay without an answer.
	beginSQL = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()"
	copySQL  = "COPY logs (" + encode.Columns + ") FROM STDIN (FORMAT binary)"

	batchSQL = `INSERT INTO batches (group_id, topic, partition, topic_id, leader_epoch, from_off, to_off, read, stored, dead, sampled, epoch, token, worker)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	deadLetterSQL = `INSERT INTO dead_letters (kafka_topic, kafka_partition, kafka_offset, kafka_leader_epoch, topic_id, kafka_timestamp, reason, detail, raw, size, sha256)
VALUES ($1, $2, $3, $4, $5, to_timestamp($6::float8), $7, $8, $9, $10, $11)`
	advanceSQL = "SELECT ledger_advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)

// Commit stores a batch: rows, dead letters, one batches row per partition, and
// last the ledger, whose statements are sent together with COMMIT, so that a
// process that is stopped in the middle never holds the lock of a row.
//
// Errors: *ledger.FencedError (rolled back, another owner of one partition),
// *batch.RefusedError (rolled back, PostgreSQL will never take these rows),
// *batch.UnknownError (COMMIT was sent and not answered), any other (rolled
// back). After an error with a lost connection every lease of the batch has to
// be recovered.
func (s *Session) Commit(ctx context.Context, b *batch.Batch) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("store batch: %w", err)
	}
	pg := conn.PgConn()
	xid, err := begin(ctx, pg)
	if err != nil {
		s.rollback(ctx, pg)
		return fmt.Errorf("store batch: begin: %w", err)
	}
	if b.RowCount() > 0 {
		if err := copyRows(ctx, pg, b); err != nil {
			s.rollback(ctx, pg)
			return err
		}
	}
	if err := s.finish(ctx, pg, b, xid); err != nil {
		s.rollback(ctx, pg)
		return err
	}
	return nil
}

// Lost says whether the connection is gone, so that leases have to be recovered.
func (s *Session) Lost() bool { return s.lost() }

func begin(ctx context.Context, pg *pgconn.PgConn) (uint64, error) {
	results, err := pg.Exec(ctx, beginSQL).ReadAll()
	if err != nil {
		return 0, err
	}
	for _, r := range results {
		if len(r.Rows) == 1 {
			return strconv.ParseUint(string(r.Rows[0][0]), 10, 64)
		}
	}
	return 0, errors.New("no transaction id")
}

func copyRows(ctx context.Context, pg *pgconn.PgConn, b *batch.Batch) error {
	readers := []io.Reader{bytes.NewReader(encode.Header)}
	for _, chunk := range b.Rows() {
		readers = append(readers, bytes.NewReader(chunk))
	}
	readers = append(readers, bytes.NewReader(encode.Trailer))
	tag, err := pg.CopyFrom(ctx, io.MultiReader(readers...), copySQL)
	if err != nil {
		if refused := asRefused(err); refused != nil {
			return refused
		}
		return fmt.Errorf("store batch: copy: %w", err)
	}
	if tag.RowsAffected() != int64(b.RowCount()) {
		return fmt.Errorf("store batch: copy took %d of %d rows", tag.RowsAffected(), b.RowCount())
	}
	return nil
}

// asRefused picks the errors that are about the data: class 22 (data exception)
// and 23 (constraints, no partition for the row). Every other error may pass.
func asRefused(err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !strings.HasPrefix(pgErr.Code, "22") && !strings.HasPrefix(pgErr.Code, "23") {
		return nil
	}
	return &batch.RefusedError{State: pgErr.Code, Message: pgErr.Message}
}

// finish sends the last statements with COMMIT and reads all answers.
func (s *Session) finish(ctx context.Context, pg *pgconn.PgConn, b *batch.Batch, xid uint64) error {
	p := pg.StartPipeline(ctx)
	for i := range b.Dead {
		p.SendQueryParams(deadLetterSQL, deadLetterParams(&b.Dead[i]), nil, deadLetterFormats, nil)
	}
	for i := range b.Parts {
		p.SendQueryParams(batchSQL, s.batchParams(&b.Parts[i]), nil, nil, nil)
	}
	for i := range b.Parts {
		p.SendQueryParams(advanceSQL, s.advanceParams(&b.Parts[i]), nil, nil, nil)
	}
	p.SendQueryParams("COMMIT", nil, nil, nil, nil)
	unknown := func(err error) error {
		_ = p.Close()
		return &batch.UnknownError{XID: xid, Err: err}
	}
	if err := p.Sync(); err != nil {
		return unknown(err)
	}
	tag, err := readPipeline(p)
	if _, answered := errors.AsType[*pgconn.PgError](err); answered && !pg.IsClosed() {
		if err := p.Close(); err != nil {
			s.drop()
		}
		return s.explain(err, b)
	}
	if err != nil {
		return unknown(err)
	}
	if err := p.Close(); err != nil {
		s.drop()
	}
	// PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, without
	// an error.
	if tag != "COMMIT" {
		return fmt.Errorf("store batch: COMMIT was answered by %q", tag)
	}
	return nil
}

// readPipeline reads every answer up to the synchronisation point and returns
// the tag of the last statement, or the first error.
func readPipeline(p *pgconn.Pipeline) (tag string, err error) {
	var first error
	for {
		results, err := p.GetResults()
		if err != nil {
			if _, answered := errors.AsType[*pgconn.PgError](err); !answered {
				return "", err
			}
			if first == nil {
				first = err
			}
			continue
		}
		switch r := results.(type) {
		case *pgconn.ResultReader:
			t, err := r.Close()
			if err != nil {
				if _, answered := errors.AsType[*pgconn.PgError](err); !answered {
					return "", err
				}
				if first == nil {
					first = err
				}
				continue
			}
			tag = t.String()
		case *pgconn.PipelineSync:
			return tag, first
		case nil:
			return "", errors.New("pipeline ended without an answer to COMMIT")
		}
	}
}

// explain finds the partition that a raised error names.
func (s *Session) explain(err error, b *batch.Batch) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if ok && pgErr.Code == fencedState {
		for i := range b.Parts {
			if key := b.Parts[i].Lease.Key; key.String() == pgErr.Detail {
				return &ledger.FencedError{Key: key}
			}
		}
	}
	return fmt.Errorf("store batch: %w", err)
}

// rollback leaves a usable connection, or none.
func (s *Session) rollback(ctx context.Context, pg *pgconn.PgConn) {
	if pg.IsClosed() || pg.TxStatus() == 'I' {
		return
	}
	if _, err := pg.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
		s.drop()
	}
}
