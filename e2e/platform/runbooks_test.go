package platform

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// query is a block of a page for operators; its first line names the database.
var query = regexp.MustCompile("(?s)```sql (auth|orders|logproc)\n(.*?)```")

// Who reads a runbook at night must not have to repair its queries first.
func TestTheServingRolesMayRunTheQueriesOfTheRunbooks(t *testing.T) {
	databases := map[string]string{"auth": platform.AuthDatabase, "orders": platform.OrdersDatabase, "logproc": platform.LogprocDatabase}
	for _, page := range []string{"runbooks.md", "recovery.md"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		found := query.FindAllStringSubmatch(string(content), -1)
		if len(found) == 0 {
			t.Errorf("%s has no queries", page)
		}
		for _, q := range found {
			conn, err := stand.Connect(t.Context(), databases[q[1]])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "SET default_transaction_read_only = on; "+q[2]); err != nil {
				t.Errorf("%s, %s: %v\n%s", page, q[1], err, q[2])
			}
			if err := conn.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}
