package dedup_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/dedup"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), `CREATE TABLE consumed_versions (consumer text NOT NULL, key text NOT NULL, version bigint NOT NULL, PRIMARY KEY (consumer, key))`); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestOnlyNewerVersionsAreAdmitted(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, c := range []struct {
		consumer, key string
		version       int64
		want          bool
	}{
		{"mail", "a", 1, true},
		{"mail", "a", 2, true},
		{"mail", "a", 2, false},
		{"mail", "a", 1, false},
		{"mail", "b", 1, true},
		{"search", "a", 1, true},
		{"mail", "a", 3, true},
	} {
		got, err := dedup.Admit(t.Context(), conn, c.consumer, c.key, c.version)
		if err != nil || got != c.want {
			t.Errorf("%s, %s, version %d: got %v, %v", c.consumer, c.key, c.version, got, err)
		}
	}
}

func TestAVersionWhoseEffectRolledBackIsAdmittedAgain(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	died := errors.New("the consumer died")
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if ok, err := dedup.Admit(t.Context(), tx, "mail", "a", 1); err != nil || !ok {
			t.Errorf("got %v, %v", ok, err)
		}
		return died
	})
	if !errors.Is(err, died) {
		t.Fatal(err)
	}
	if ok, err := dedup.Admit(t.Context(), conn, "mail", "a", 1); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}
