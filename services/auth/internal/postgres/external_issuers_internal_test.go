package postgres

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
)

// Rows of ended sessions stay for months. On the day when the keys of an issuer
// were stolen they must not be read, by a call that has ten seconds.
func TestWhoRevokesAnIssuerReadsItsLiveSessionsAndNotAllThatItEverHad(t *testing.T) {
	const provider, ended, budget = "https://id.example.com", 20_000, 60 // blocks
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t, func(ctx context.Context, url string) error {
		return database.Migrate(ctx, url, "", Migrations(), slog.New(slog.DiscardHandler))
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	user := uuid.Max
	for sql, args := range map[string][]any{
		`WITH u AS (INSERT INTO users (id, email, roles) VALUES ($1, '', '{}')) INSERT INTO external_identities (issuer, subject, user_id) SELECT $2, n::text, $1 FROM generate_series(1, $3::int) n`: {user, provider, ended},
	} {
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	const sessions = `INSERT INTO sessions (id, user_id, token_kid, jti, expires_at, external_issuer, revoked_at)
		SELECT gen_random_uuid(), $1, 7, $1, now() + interval '1 day', $2, $4::timestamptz FROM generate_series(1, $3::int)`
	for revoked, n := range map[*time.Time]int{new(time.Now()): ended, nil: 3} {
		if _, err := conn.Exec(t.Context(), sessions, user, provider, n, revoked); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	listed := func(alone bool) []any {
		return []any{pgx.NamedArgs{"named": []string{provider}, "alone": alone, "idle": time.Hour}}
	}
	for what, c := range map[string]struct {
		sql  string
		args []any
	}{
		"a batch":    {externalSessionsSQL, []any{provider, uuid.Nil, 1000}},
		"the issuer": {externalIssuersSQL, listed(true)},
		"the list":   {externalIssuersSQL, listed(false)},
	} {
		var plan []byte
		if err := conn.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+c.sql, c.args...).Scan(&plan); err != nil {
			t.Fatal(err)
		}
		var read []struct {
			Plan map[string]any
		}
		if err := json.Unmarshal(plan, &read); err != nil || len(read) != 1 {
			t.Fatalf("%v: %s", err, plan)
		}
		hit, _ := read[0].Plan["Shared Hit Blocks"].(float64)
		fetched, _ := read[0].Plan["Shared Read Blocks"].(float64)
		if blocks := hit + fetched; blocks == 0 || blocks > budget {
			t.Errorf("%s: %v blocks: %s", what, blocks, plan)
		}
	}
}
