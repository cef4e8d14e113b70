package postgres

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
)

// The index is about addresses that are not empty, and a plan for any parameter
// can use it only if the statement says so.
func TestALoginFindsTheAddressByItsIndexWhateverTheParameter(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t, func(ctx context.Context, url string) error {
		return database.Migrate(ctx, url, "", Migrations(), slog.New(slog.DiscardHandler))
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, sql := range []string{
		`SET plan_cache_mode = force_generic_plan`, `SET enable_seqscan = off`, `PREPARE login (text) AS ` + credentialByEmailSQL,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := conn.Query(t.Context(), `EXPLAIN EXECUTE login ('anna@example.com')`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "users_address") {
		t.Errorf("no index:\n%s", text)
	}
}
