package idempotency_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/idempotency"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const schema = `CREATE TABLE idempotency_keys (
  principal text NOT NULL, method text NOT NULL, request_id uuid NOT NULL,
  request_hash bytea NOT NULL, response bytea,
  create_time timestamptz NOT NULL DEFAULT now(), answer_time timestamptz,
  PRIMARY KEY (principal, method, request_id),
  CHECK ((response IS NULL) = (answer_time IS NULL)));
CREATE INDEX ON idempotency_keys (answer_time) WHERE answer_time IS NOT NULL`

func open(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	return pool
}

func newKey() idempotency.Key {
	k := idempotency.Key{Principal: "users/u", Method: "/m"}
	_, _ = rand.Read(k.RequestID[:])
	return k
}

var errRefused = errors.New("refused")

type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func claim(ctx context.Context, db batcher, key idempotency.Key, hash []byte) (*idempotency.Claim, error) {
	var b pgx.Batch
	c := idempotency.QueueClaim(&b, key, hash)
	return c, db.SendBatch(ctx, &b).Close()
}

// result of execute.
type result struct {
	new bool
	idempotency.Outcome
}

// execute claims and answers in one transaction, as a command does.
func execute(ctx context.Context, db *pgxpool.Pool, key idempotency.Key, hash, answer []byte, refusal error) (out result, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		c, err := claim(ctx, tx, key, hash)
		if err != nil {
			return err
		}
		if out.new = c.New; !c.New {
			out.Outcome, err = idempotency.Find(ctx, tx, key, hash)
			return err
		}
		if refusal != nil {
			return refusal
		}
		_, err = idempotency.Answer(ctx, tx, key, answer)
		return err
	})
	return out, err
}

func TestARepetitionGetsTheStoredAnswer(t *testing.T) {
	t.Parallel()
	db, key := open(t), newKey()
	first, err := execute(t.Context(), db, key, []byte("h"), []byte("answer"), nil)
	if err != nil || !first.new {
		t.Fatalf("first: %+v, %v", first, err)
	}
	again, err := execute(t.Context(), db, key, []byte("h"), []byte("other"), nil)
	if err != nil || again.new || !again.Answered || string(again.Response) != "answer" {
		t.Fatalf("repetition: %+v, %v", again, err)
	}
	if _, err := execute(t.Context(), db, key, []byte("another"), nil, nil); !errors.Is(err, idempotency.ErrReused) {
		t.Fatalf("another body: %v", err)
	}
	for name, other := range map[string]idempotency.Key{
		"another principal": {Principal: "users/v", Method: key.Method, RequestID: key.RequestID},
		"another method":    {Principal: key.Principal, Method: "/n", RequestID: key.RequestID},
	} {
		if out, err := execute(t.Context(), db, other, []byte("another"), nil, nil); err != nil || !out.new {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

func TestARefusalIsNotStored(t *testing.T) {
	t.Parallel()
	db, key := open(t), newKey()
	if _, err := execute(t.Context(), db, key, []byte("h"), nil, errRefused); !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	if out, err := execute(t.Context(), db, key, []byte("h"), nil, nil); err != nil || !out.new {
		t.Fatalf("after the refusal: %+v, %v", out, err)
	}
}

func TestATwinWaitsAndNeverExecutesBeside(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{"the first commits": nil, "the first rolls back": errRefused} {
		db, key := open(t), newKey()
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c, err := claim(t.Context(), tx, key, []byte("h")); err != nil || !c.New {
			t.Fatalf("%s: %+v, %v", name, c, err)
		}
		type ending struct {
			out result
			err error
		}
		twin := make(chan ending, 1)
		go func() {
			out, err := execute(context.Background(), db, key, []byte("h"), []byte("twin"), nil)
			twin <- ending{out, err}
		}()
		for waiting := 0; waiting == 0; {
			if err := db.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
		if refusal == nil {
			if _, err := idempotency.Answer(t.Context(), tx, key, []byte("first")); err != nil {
				t.Fatal(err)
			}
			err = tx.Commit(t.Context())
		} else {
			err = tx.Rollback(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		got := <-twin
		if got.err != nil || got.out.new != (refusal != nil) {
			t.Errorf("%s: the twin got %+v, %v", name, got.out, got.err)
		}
		if refusal == nil && string(got.out.Response) != "first" {
			t.Errorf("%s: the twin was answered %q", name, got.out.Response)
		}
	}
}

// Whoever met a conflict never executes, also when the row is gone on reading.
func TestAConflictWhoseRowIsGoneIsNotExecuted(t *testing.T) {
	t.Parallel()
	db := open(t)
	if _, err := idempotency.Find(t.Context(), db, newKey(), []byte("h")); !errors.Is(err, idempotency.ErrGone) {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerIsStoredOnce(t *testing.T) {
	t.Parallel()
	db, key := open(t), newKey()
	if _, err := claim(t.Context(), db, key, []byte("h")); err != nil {
		t.Fatal(err)
	}
	if out, err := idempotency.Find(t.Context(), db, key, []byte("h")); err != nil || out.Answered {
		t.Fatalf("before the answer: %+v, %v", out, err)
	}
	for i, want := range []bool{true, false} {
		if ok, err := idempotency.Answer(t.Context(), db, key, []byte{byte(i)}); err != nil || ok != want {
			t.Errorf("answer %d: %v, %v", i, ok, err)
		}
	}
	if out, err := idempotency.Find(t.Context(), db, key, []byte("h")); err != nil || out.Response[0] != 0 {
		t.Errorf("after it: %+v, %v", out, err)
	}
}

// The clean-up goes by the time of the answer and is bounded; a request without
// an answer is still needed by whoever will give it.
func TestTheCleanUpTakesOldAnswersOnly(t *testing.T) {
	t.Parallel()
	db := open(t)
	for i := range 10 {
		key := newKey()
		if _, err := claim(t.Context(), db, key, []byte("h")); err != nil {
			t.Fatal(err)
		}
		if i < 8 {
			if _, err := idempotency.Answer(t.Context(), db, key, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := db.Exec(t.Context(), `UPDATE idempotency_keys SET create_time = now() - interval '2 days';
		UPDATE idempotency_keys SET answer_time = now() - interval '25 hours' WHERE request_id IN (SELECT request_id FROM idempotency_keys WHERE answer_time IS NOT NULL LIMIT 5)`); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 2, 0} {
		if n, err := idempotency.CleanUp(t.Context(), db, idempotency.Retention, 3); err != nil || n != want {
			t.Errorf("removed %d, %v, want %d", n, err, want)
		}
	}
}

// The time of a claim is that of its transaction, which the rest of a command
// may then use without asking for it.
func TestAClaimTellsTheTimeOfItsTransaction(t *testing.T) {
	t.Parallel()
	db := open(t)
	err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		c, err := claim(t.Context(), tx, newKey(), []byte("h"))
		if err != nil {
			return err
		}
		var same bool
		if err := tx.QueryRow(t.Context(), `SELECT now() = $1`, c.Time).Scan(&same); err != nil || !same {
			t.Errorf("%v is not the time of the transaction, %v", c.Time, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnAnswerInABatchIsTheAnswer(t *testing.T) {
	t.Parallel()
	db, key := open(t), newKey()
	var b pgx.Batch
	idempotency.QueueClaim(&b, key, []byte("h"))
	idempotency.QueueAnswer(&b, key, nil)
	if err := db.SendBatch(t.Context(), &b).Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := idempotency.Find(t.Context(), db, key, []byte("h")); err != nil || !out.Answered || len(out.Response) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestTheHashIsOfAllFields(t *testing.T) {
	t.Parallel()
	hash := func(m map[string]any) string {
		s, err := structpb.NewStruct(m)
		if err != nil {
			t.Fatal(err)
		}
		h, err := idempotency.Hash(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	a := map[string]any{"x": 1.0, "y": "z", "w": true, "v": nil, "u": "t"}
	first := hash(a)
	for range 20 { // maps are encoded in one order
		if hash(a) != first {
			t.Fatal("the hash of a message is not stable")
		}
	}
	if hash(a) == hash(map[string]any{"x": 2.0}) {
		t.Error("another message has the same hash")
	}
}
